"""The asv suite: one module a question, one class a situation and question of the preset, one method a metric.

The environment variable ``ZBENCH_PRESET`` names the grid (``quick``, ``full`` or a TOML file), ``ZBENCH_DATASETS`` and
``ZBENCH_ENGINES`` replace its datasets and engines.
"""
