#!/bin/sh
# No Node: a line of JSON on the channel, and what comes back on it.
echo '"from a shell"' >&$NODE_CHANNEL_FD
read answer <&$NODE_CHANNEL_FD
echo "$answer" >&$NODE_CHANNEL_FD
