"""A session for each call that takes one: calls that end sessions or change the password have users, and tokens, of their own."""

import json
import os

import requests
import schemathesis

USERS = json.loads(os.environ["API_USERS"])
BASE = os.environ["API_BASE"]


@schemathesis.auth(refresh_interval=None)
class Session:
    def get(self, case, context):
        user = USERS.get(context.operation.label, USERS["others"])
        # A session that changes the password goes on with the new one: it is made once, before the run.
        if "token" in user:
            return user["token"]
        answer = requests.post(f"{BASE}/v1/sessions", json={"identifier": user["identifier"], "password": user["password"]}, timeout=15)
        answer.raise_for_status()
        return answer.json()["token"]

    def set(self, case, data, context):
        case.headers = case.headers or {}
        case.headers["Authorization"] = f"Bearer {data}"
