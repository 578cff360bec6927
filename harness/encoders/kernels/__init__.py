"""The fast LSTMs of the encoder. A reader who only wants to understand ELMo can skip this folder.

``projected_lstm`` is the LSTM of the biLM; its method ``step`` shows what one step computes. It runs in training, on a
GPU, and with ``state=carry``. ``lstm_steps`` holds the state of the rows between steps. ``mixed_matmul`` multiplies in
float32 or bfloat16, in training by ``onednn_product``.

Four files encode on a CPU, so that the bits of a sentence's vectors depend on the sentence alone. ``streams`` runs the
LSTMs with a fixed number of rows, and ``frozen_char_cnn`` the character CNN. Both multiply by ``frozen_product``, and
``one_thread_each`` divides the work among threads.

Three files matter only on a GPU. ``cuda_graphs`` replays a captured step instead of launching its kernels one by one,
``fused_cell`` computes all elementwise operations of a step in one kernel, and ``async_copy`` copies data to and from
the GPU while it computes. If the first two are not available, and always on a CPU, a step uses torch's public
operators.

Work is also saved by ``word_vector_cache`` (each word type once) and by ``harness.nn.packing`` (no padding).
"""
