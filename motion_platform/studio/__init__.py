"""The web page ``motion studio`` and the REST interface ``motion serve``: one process, one set of models, one queue."""
