"""`python -m common COMMAND`: short forms of the commands that train, evaluate, export and infer; `help` lists them."""

import sys

from .launcher.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
