"""The pages of the operator, at ``/admin/``: the admin API's answers, drawn for people."""
