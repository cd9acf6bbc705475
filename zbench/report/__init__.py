"""Render what was measured: tables, figures, pages."""
