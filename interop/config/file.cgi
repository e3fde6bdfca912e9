#!/bin/sh
# Sends the file named by the query, without a length: the server has to frame it in chunks.
printf 'Content-Type: application/octet-stream\r\n\r\n'
case "$QUERY_STRING" in
  *[!0-9]*) exit 1 ;;
esac
exec cat "{{web}}/files/$QUERY_STRING.bin"
