"""Serves the files of the current directory over HTTP/1.1, with connections that stay open.

Prints its port. Works on Python 3.6 and later, unlike `python -m http.server --protocol`.
"""

import http.server

http.server.SimpleHTTPRequestHandler.protocol_version = "HTTP/1.1"
server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
print("port", server.server_port, flush=True)
server.serve_forever()
