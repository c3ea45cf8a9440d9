//! Goal: what cannot be run, or proves nothing, is refused by name, with what was found and what would do.
