from harness.pretrain.cli import main

main()
