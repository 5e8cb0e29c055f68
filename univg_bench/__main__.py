"""`python -m univg_bench` is the command `univg-bench`."""

from univg_bench.cli import main

main()
