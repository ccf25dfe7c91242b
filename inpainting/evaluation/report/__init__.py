"""From a summary to what people read: an HTML page, plots, a LaTeX table, rows as CSV."""
