# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import grpc
import pytest
from double import Double

import godwit
from godwit import Client, Enqueued

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="there is no openssl here")


def certify(folder: Path, name: str, authority: str | None) -> None:
    """Writes NAME.pem and NAME.key, signed by an authority or by itself."""
    signer = (
        ["-CA", str(folder / f"{authority}.pem"), "-CAkey", str(folder / f"{authority}.key"),
         "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"]
        if authority
        else ["-addext", "keyUsage=critical,keyCertSign"]
    )  # fmt: skip
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-days", "1", "-subj", f"/CN={name}", "-keyout", str(folder / f"{name}.key"),
         "-out", str(folder / f"{name}.pem"), *signer],
        check=True, capture_output=True,
    )  # fmt: skip


def test_tls_checks_both_sides(tmp_path: Path) -> None:
    for name, authority in (("ca", None), ("server", "ca"), ("client", "ca"), ("other", None)):
        certify(tmp_path, name, authority)
    pem = {it.name: it.read_bytes() for it in tmp_path.iterdir()}
    double = Double(
        token="t",
        credentials=grpc.ssl_server_credentials(
            [(pem["server.key"], pem["server.pem"])], pem["ca.pem"], require_client_auth=True
        ),
    )
    ours = {"certificate": tmp_path / "client.pem", "key": tmp_path / "client.key"}
    try:
        with Client(double.target, "t", tmp_path / "ca.pem", **ours) as client:
            assert isinstance(client.enqueue("mail", "k", 1), Enqueued)
        for ca, own in (("ca.pem", {}), ("other.pem", ours)):
            with Client(double.target, "t", tmp_path / ca, timeout=0.3, **own) as client:
                with pytest.raises((godwit.Unavailable, godwit.Uncertain)):
                    client.enqueue("mail", "k", 1)
        with Client(double.target, "t", timeout=0.3) as client:
            with pytest.raises((godwit.Unavailable, godwit.Uncertain)):
                client.enqueue("mail", "k", 1)
        assert double.memory.states("mail") == {"ready": 1}
    finally:
        double.close()
