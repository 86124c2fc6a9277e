"""The service's use cases: what comes in, what is so about a person now, what people decided."""
