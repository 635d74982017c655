# SPDX-License-Identifier: Apache-2.0
"""The messages and services of Protos/godwit/v1 as protoc makes them, for what the client has no word for.

Why here: protoc names Python modules after the folders of the protos, so that `godwit.v1` of the wire is
`godwit.v1` in Python, and the generated imports are right as they are.
"""
