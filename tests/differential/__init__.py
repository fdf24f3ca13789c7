"""Each case is run against a backend directly and against the proxy over that backend; what is answered is compared."""
