"""Tables in a bucket, or any other place that fsspec knows, through a local mirror."""
