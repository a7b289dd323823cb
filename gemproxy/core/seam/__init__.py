"""Where a resumed answer joins the delivered text."""
