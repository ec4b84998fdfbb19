"""What is called: nginx with one fixed answer, and the program's own simulator. Both on loopback,
on a free port, with a certificate of a CA that exists only for this run."""

import contextlib
import json
import os
import shutil
import socket
import subprocess

import processes

ANSWER = ('{"requestId":"T05992D0C-7E8B-4047-B0C0-780F2CD549D3",'
          '"response":{"requestId":"T05992D0C-7E8B-4047-B0C0-780F2CD549D3"}}')

# One worker, as there is one client. Connections live as long as the client wants them to.
NGINX = """\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr warn;
{user}
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_requests 100000000;
  keepalive_timeout 3600s;
  server {{
    listen 127.0.0.1:{port} ssl backlog=1024;
    ssl_certificate {folder}/server.pem;
    ssl_certificate_key {folder}/server.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    default_type "application/json;charset=UTF-8";
    location = /api/v2/zec {{ return 200 '{answer}'; }}
    location / {{ return 404; }}
  }}
}}
"""


def program_path(name):
    """Where a program is; those for administrators are not in everybody's PATH."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not found:
        raise processes.Broken(f"{name} is not installed: ./dev bench installs it")
    return found


def make_certificates(folder):
    """Leaves ca.pem, server.pem and server.key in `folder`."""
    def openssl(*arguments):
        done = subprocess.run([program_path("openssl"), *arguments], cwd=folder, timeout=60,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if done.returncode != 0:
            raise processes.Broken(f"openssl {arguments[0]}: {done.stderr.decode()[-400:]}")

    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    with open(os.path.join(folder, "names"), "w", encoding="utf-8") as names:
        names.write("subjectAltName=IP:127.0.0.1,DNS:localhost\nbasicConstraints=CA:FALSE\n")
    openssl("req", "-x509", *new_key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2",
            "-subj", "/CN=diskrelease benchmark CA")
    openssl("req", "-new", *new_key, "-keyout", "server.key", "-out", "server.csr",
            "-subj", "/CN=localhost")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", "2", "-extfile", "names", "-out", "server.pem")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(port):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def nginx(folder):
    """Yields the port and the path of the CA's certificate."""
    make_certificates(folder)
    for tries_left in (2, 1, 0):
        port = free_port()
        configuration = os.path.join(folder, "nginx.conf")
        with open(configuration, "w", encoding="utf-8") as file:
            file.write(NGINX.format(folder=folder, port=port, answer=ANSWER,
                                    user="user root;" if os.geteuid() == 0 else ""))
        log_path = os.path.join(folder, "nginx.log")
        with open(log_path, "wb") as log:
            server = processes.start([program_path("nginx"), "-e", "stderr", "-p", folder,
                                      "-c", configuration],
                                     dict(os.environ), subprocess.DEVNULL, log)
        try:
            # Somebody else may have taken the port meanwhile.
            processes.wait_until(lambda: server.poll() is not None or listens(port), 30, "nginx")
            if server.poll() is not None:
                if tries_left:
                    continue
                with open(log_path, encoding="utf-8") as log:
                    raise processes.Broken(f"nginx does not start: {log.read()[-800:]}")
            yield port, os.path.join(folder, "ca.pem")
            return
        finally:
            processes.end(server)


@contextlib.contextmanager
def simulator(program, folder, scenario, ledger_folder=None, first=()):
    """Yields endpoint, path of the CA's certificate and path of the ledger, which is in
    `ledger_folder` where one is given, else in `folder`. `first`: before its command line."""
    paths = {name: os.path.join(folder, name) for name in ("scenario.json", "sandbox-ca.pem",
                                                           "sandbox")}
    paths["ledger"] = os.path.join(ledger_folder or folder, "ledger")
    with open(paths["scenario.json"], "w", encoding="utf-8") as file:
        json.dump(scenario, file)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(paths["ledger"])
    with open(paths["sandbox"], "wb") as said:
        server = processes.start(
            [*first, program, "sandbox", "--scenario", paths["scenario.json"],
             "--ca-out", paths["sandbox-ca.pem"], "--ledger", paths["ledger"], "--json"],
            dict(os.environ), said)

    def first_line():
        if server.poll() is not None:
            raise processes.Broken("the simulator does not start")
        with open(paths["sandbox"], encoding="utf-8") as file:
            line = file.readline()
        return line if line.endswith("\n") else None

    try:
        endpoint = json.loads(processes.wait_until(first_line, 30, "the simulator"))["endpoint"]
        yield endpoint, paths["sandbox-ca.pem"], paths["ledger"]
    finally:
        processes.end(server)


def entries_in(ledger):
    """What the ledger says of every request so far, in no certain order."""
    with contextlib.suppress(FileNotFoundError), open(ledger, encoding="utf-8") as lines:
        for line in lines:
            if line.startswith('{"event":"request"') and line.endswith("\n"):
                yield json.loads(line)


def requests_in(ledger):
    """Arrival (steady clock, nanoseconds) and action of every request so far, earliest first."""
    return sorted((entry["arrived_steady_ns"], entry["action"]) for entry in entries_in(ledger))
