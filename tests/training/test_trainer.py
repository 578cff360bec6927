"""The trainer selects on dev, clips, lowers its rate, stops and resumes as its options say."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from harness.errors import HarnessError
from harness.training.trainer import Trainer
from harness.utils.signals import Interrupted
from tests.support.runs import StopAfter, small_run
from tests.support.training import BATCHES, EXAMPLES, RecordingTrainer, equal, scripted

SCORES = (0.1, 0.9, 0.5, 0.9, 0.4)  # the second epoch is the best, and the first of two equal ones


def gradient(weight: Tensor) -> Tensor:
    """Return the gradient of the loss of all examples, written out."""
    x = torch.tensor([[1.0, int(e.id) / 8, int(e.id) % 3] for e in EXAMPLES])
    y = torch.tensor([e.target for e in EXAMPLES])
    return (2 / len(EXAMPLES) * (x @ weight.flatten() - y) @ x)[None]


def test_the_weights_of_the_best_epoch_remain(tmp_path: Path) -> None:
    trainer = scripted(tmp_path, SCORES)
    trainer.fit()
    best = trainer.weights[2 * BATCHES - 1]
    assert torch.equal(trainer.weight(), best)
    assert not torch.equal(best, trainer.weights[-1])
    assert trainer.model.trained()["head.batches"] == 2 * BATCHES  # buffers too
    assert (trainer.progress.best_epoch, trainer.progress.best_score) == (2, 0.9)
    assert [row["dev/score"] for row in trainer.progress.history] == list(SCORES)


@pytest.mark.parametrize(("patience", "epochs"), [(1, 3), (2, 4), (3, 6)])
def test_training_stops_after_patience_epochs_without_a_better_score(
    patience: int, epochs: int, tmp_path: Path
) -> None:
    trainer = scripted(tmp_path, [0.1, 0.2, 0.2, 0.1, 0.3, 0.4], patience=patience)
    trainer.fit()
    assert trainer.progress.epoch == epochs


def test_patience_does_not_count_before_the_first_score_above_zero(tmp_path: Path) -> None:
    trainer = scripted(tmp_path, [0.0, 0.0, 0.0, 0.0, 0.2, 0.1, 0.1, 0.3], patience=2)
    trainer.fit()
    assert (trainer.progress.epoch, trainer.progress.best_epoch) == (7, 5)


def test_patience_counts_for_scores_below_zero_and_after_a_rise_to_zero(tmp_path: Path) -> None:
    for i, (scores, epochs) in enumerate([([-0.2, -0.3, -0.3, -0.1], 3), ([-0.1, 0.0, -0.1, -0.1, 0.5], 4)]):
        trainer = scripted(tmp_path / str(i), scores, patience=2)
        trainer.fit()
        assert trainer.progress.epoch == epochs


def test_the_learning_rate_waits_for_the_first_score_above_zero(tmp_path: Path) -> None:
    trainer = scripted(tmp_path, [0.0, 0.0, 0.0, 0.2], plateau_patience=0, plateau_factor=0.5, lr=0.01, patience=2)
    trainer.fit()
    assert [row["lr"] for row in trainer.progress.history] == [0.01] * 4


def test_patience_counts_across_a_resume(tmp_path: Path) -> None:
    scores = [0.5, 0.4, 0.3, 0.9]
    with pytest.raises(Interrupted):
        scripted(tmp_path, scores, patience=2, stop=StopAfter(BATCHES + 2)).fit()
    resumed = scripted(tmp_path, scores, patience=2)
    resumed.fit()
    assert resumed.progress.epoch == 3


def test_a_step_follows_learning_rate_and_weight_decay(tmp_path: Path) -> None:
    trainer = scripted(tmp_path, [1.0], whole=True, lr=0.02, weight_decay=0.3)
    before = trainer.weight()
    trainer.fit()
    expected = before - 0.02 * (gradient(before) + 0.3 * before)
    torch.testing.assert_close(trainer.weight(), expected)


def test_the_norm_of_the_gradient_is_limited(tmp_path: Path) -> None:
    steps = {}
    for limit in (0.25, 1e6, None):
        trainer = scripted(tmp_path / str(limit), [1.0], whole=True, lr=1.0, grad_norm=limit)
        before = trainer.weight()
        trainer.fit()
        steps[limit] = before - trainer.weight()
    torch.testing.assert_close(steps[None], gradient(torch.full((1, 3), 0.5)))
    torch.testing.assert_close(steps[1e6], steps[None])
    assert steps[0.25].norm().item() == pytest.approx(0.25, rel=1e-4)
    torch.testing.assert_close(steps[0.25] / 0.25, steps[None] / steps[None].norm(), rtol=1e-4, atol=0)


def test_the_recorded_loss_is_the_mean_of_the_losses_of_the_epoch(tmp_path: Path) -> None:
    trainer = scripted(tmp_path, [0.1, 0.2], whole=True)
    start = trainer.weight()
    trainer.fit()
    x = torch.tensor([[1.0, int(e.id) / 8, int(e.id) % 3] for e in EXAMPLES])
    y = torch.tensor([e.target for e in EXAMPLES])
    expected = [(x @ weight.flatten() - y).square().mean().item() for weight in (start, trainer.weights[0])]
    assert [row["train/loss"] for row in trainer.progress.history] == pytest.approx(expected)


def test_gradients_do_not_add_up_over_steps(tmp_path: Path) -> None:
    trainer = scripted(tmp_path, [0.5, 1.0], whole=True)
    start = trainer.weight()
    trainer.fit()
    first = start - 0.01 * gradient(start)
    torch.testing.assert_close(trainer.weight(), first - 0.01 * gradient(first))


def test_a_dev_score_that_is_not_a_number_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"\.score returned score = nan; expected a finite number"):
        scripted(tmp_path, [0.1, float("nan"), 0.5]).fit()


PLATEAU = {"plateau_patience": 1, "plateau_factor": 0.5, "lr": 0.01}
FALLING = (0.5, 0.4, 0.3, 0.2, 0.1)
RATES = [0.01, 0.01, 0.01, 0.005, 0.005]  # the third epoch is the second without a better score


def test_the_learning_rate_falls_when_dev_stops_improving(tmp_path: Path) -> None:
    trainer = scripted(tmp_path, FALLING, **PLATEAU)
    trainer.fit()
    assert [row["lr"] for row in trainer.progress.history] == RATES
    assert trainer.optimizer.param_groups[0]["lr"] == 0.0025


def test_a_better_score_keeps_the_learning_rate(tmp_path: Path) -> None:
    trainer = scripted(tmp_path, FALLING[::-1], **PLATEAU)
    trainer.fit()
    assert {row["lr"] for row in trainer.progress.history} == {0.01}


@pytest.mark.parametrize("looks", range(0, BATCHES * 3 + 3))
def test_the_plateau_is_counted_across_a_resume(looks: int, tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        scripted(tmp_path, FALLING, stop=StopAfter(looks), **PLATEAU).fit()
    resumed = scripted(tmp_path, FALLING, **PLATEAU)
    resumed.fit()
    assert [row["lr"] for row in resumed.progress.history] == RATES
    assert resumed.optimizer.param_groups[0]["lr"] == 0.0025


def test_the_moving_average_is_scored_and_kept(tmp_path: Path) -> None:
    trainer = scripted(tmp_path, (0.1, 0.2, 0.9, 0.3), average=0.25)
    average = trainer.weight()
    trainer.fit()
    plain = scripted(tmp_path / "plain", (0.1, 0.2, 0.9, 0.3))
    plain.fit()
    assert equal(trainer.weights, plain.weights)  # the average does not change the training
    for n, weight in enumerate(trainer.weights[: 3 * BATCHES], start=1):
        decay = min(0.25, (1 + n) / (10 + n))
        average = decay * average + (1 - decay) * weight
    torch.testing.assert_close(trainer.weight(), average)
    assert not torch.equal(average, trainer.weights[3 * BATCHES - 1])


def test_the_seed_determines_the_order_of_the_batches(tmp_path: Path) -> None:
    def order(seed: int, name: str) -> list[list[str]]:
        trainer = scripted(tmp_path / name, [0.1, 0.2], seed=seed)
        trainer.fit()
        return [batch for batch in trainer.task_seen if len(batch) == 2]

    first = order(1, "a")
    assert first == order(1, "b")
    assert first != order(2, "c")
    assert first[:BATCHES] != first[BATCHES:]  # every epoch has an order of its own
    assert sorted(i for batch in first[BATCHES:] for i in batch) == [e.id for e in EXAMPLES]


def test_dropout_is_on_in_training_and_depends_on_the_seed(tmp_path: Path) -> None:
    def weights(name: str, seed: int = 1, dropout: float = 0.5) -> list[Tensor]:
        trainer = scripted(tmp_path / name, [0.1, 0.2], seed=seed, dropout=dropout, whole=True)
        trainer.fit()
        return trainer.weights

    assert equal(weights("a"), weights("b"))
    assert not equal(weights("a2"), weights("c", seed=2))  # one batch an epoch: its order changes the sums alone
    assert (weights("d")[0] - weights("e", dropout=0.0)[0]).abs().max() > 0.01


def test_a_run_seeds_dropout_whatever_was_drawn_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The initial weights and the encoder draw numbers too, and how many must not matter."""
    states = []
    fit = Trainer.fit

    def seen(self: Trainer) -> None:
        states.append(torch.get_rng_state())
        fit(self)

    monkeypatch.setattr(Trainer, "fit", seen)
    for seed in (1, 2):
        small_run(tmp_path, f"seed={seed}", "trainer.max_epochs=1")
        assert torch.equal(states[-1], torch.Generator().manual_seed(seed).get_state())


def test_a_run_hands_its_seed_to_the_trainer_and_to_the_initial_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = []
    monkeypatch.setattr(
        Trainer, "fit", lambda self: begun.append((self.seed, {n: t.clone() for n, t in self.model.trained().items()}))
    )
    for seed in (1, 1, 2):
        torch.rand(seed + len(begun))  # what was drawn before does not matter
        small_run(tmp_path / str(len(begun)), f"seed={seed}")
    assert [seed for seed, _ in begun] == [1, 1, 2]
    assert equal(begun[0][1], begun[1][1])
    assert not equal(begun[0][1], begun[2][1])


def test_a_resumed_run_tracks_its_finished_epochs_again(tmp_path: Path) -> None:
    """The tracker of a new process starts a new run, which has to show the whole course."""
    with pytest.raises(Interrupted):
        scripted(tmp_path, SCORES, stop=StopAfter(2 * BATCHES + 3)).fit()
    resumed = scripted(tmp_path, SCORES)
    tracked = []
    resumed.track = SimpleNamespace(  # type: ignore[assignment]
        log=lambda values, *, step: tracked.append((step, values["dev/score"]))
    )
    resumed.fit()
    assert tracked == list(enumerate(SCORES, start=1))


EVERYTHING = {"optimizer": "Adam", "average": 0.9, "dropout": 0.5, "grad_norm": 5.0, **PLATEAU}
STEPS = range(0, len(FALLING) * (BATCHES + 1) - 1)


def same_checkpoints(resumed: RecordingTrainer, whole: RecordingTrainer) -> None:
    """Compare what both hold at each epoch's end: weights, averages, optimiser, schedule, history, random state."""
    for place in resumed.saved.keys() & whole.saved.keys():
        assert equal(resumed.saved[place], whole.saved[place]), place
    assert equal(resumed.on_disk(), whole.on_disk())
    assert equal(resumed.model.trained(), whole.model.trained())


@pytest.mark.parametrize("looks", STEPS)
def test_a_stop_anywhere_changes_no_bit(looks: int, tmp_path: Path) -> None:
    whole = scripted(tmp_path / "whole", FALLING, **EVERYTHING)
    whole.fit()
    assert {"optimizer", "schedule", "average", "rng", "best", "model"} <= whole.saved[1, 0].keys()
    with pytest.raises(Interrupted):
        scripted(tmp_path, FALLING, stop=StopAfter(looks), **EVERYTHING).fit()
    resumed = scripted(tmp_path, FALLING, **EVERYTHING)
    torch.rand(7)  # a new process has drawn other numbers before
    resumed.fit()
    same_checkpoints(resumed, whole)


@pytest.mark.parametrize("update", range(BATCHES, len(FALLING) * BATCHES, 3))
def test_a_kill_anywhere_changes_no_bit(update: int, tmp_path: Path) -> None:
    """A killed process has not written a checkpoint since the end of the last epoch."""
    whole = scripted(tmp_path / "whole", FALLING, **EVERYTHING)
    whole.fit()
    killed = scripted(tmp_path, FALLING, **EVERYTHING)

    def kill(*_: object) -> None:
        if len(killed.weights) == update:
            raise KeyboardInterrupt

    killed.optimizer.register_step_post_hook(kill)
    with pytest.raises(KeyboardInterrupt):
        killed.fit()
    resumed = scripted(tmp_path, FALLING, **EVERYTHING)
    resumed.fit()
    same_checkpoints(resumed, whole)
