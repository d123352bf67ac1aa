"""`python -m grevy.broker` is `grevy`."""

from grevy.broker.cli import main

main()
