"""The checks of `data.validate`, a file for each of the things that they look at."""
