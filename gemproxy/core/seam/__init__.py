"""Where a resumed answer joins the delivered text; start with seam.py."""
