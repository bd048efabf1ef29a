#!/bin/sh
WIRE_FD="$NODE_CHANNEL_FD" DIFF_NAME="R$NODE_UNIQUE_ID"
export WIRE_FD DIFF_NAME
unset NODE_CHANNEL_FD NODE_CHANNEL_SERIALIZATION_MODE NODE_UNIQUE_ID
exec '/usr/bin/node' '/work/w-me/test/differential/scenarios/wire-numbers.js'
