"""`python -m net2vec` is the program `net2vec`."""

from net2vec.cli import main

main()
