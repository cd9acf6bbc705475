"""A library measured release by release: environments, exact counts, interleaved times, and the history they make."""
