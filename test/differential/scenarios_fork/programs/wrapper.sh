#!/bin/sh
# Stands for Node, and starts it.
exec "$REAL_NODE" "$@"
