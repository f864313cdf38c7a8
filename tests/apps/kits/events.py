"""Events as the hosts document them, with a request of choice inside."""

from __future__ import annotations

import base64
from typing import Any


def api_gateway(
    method: str, path: str, body: str | None, *, encoded: bool = False, stage: str = "$default"
) -> dict[str, Any]:
    """Payload format 2.0 of AWS API Gateway's HTTP APIs, all keys of the documented example.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
    """
    whole = path if stage == "$default" else f"/{stage}{path}"
    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": whole,
        "rawQueryString": "parameter1=value1&parameter1=value2",
        "cookies": ["cookie1", "cookie2"],
        "headers": {"content-type": "application/json", "header1": "value1,value2"},
        "queryStringParameters": {"parameter1": "value1,value2"},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "api-id",
            "authentication": None,
            "domainName": "id.execute-api.us-east-1.amazonaws.com",
            "domainPrefix": "id",
            "http": {
                "method": method,
                "path": whole,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "agent",
            },
            "requestId": "id",
            "routeKey": "$default",
            "stage": stage,
            "time": "12/Mar/2020:19:03:58 +0000",
            "timeEpoch": 1583348638390,
        },
        "isBase64Encoded": encoded,
    }
    return event if body is None else event | {"body": _encoded(body) if encoded else body}


def function_url(
    method: str, path: str, body: str | None, *, encoded: bool = False
) -> dict[str, Any]:
    """An event of an AWS function URL: the same format, from another domain, with a caller.

    https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
    """
    event = api_gateway(method, path, body, encoded=encoded)
    event["requestContext"] |= {
        "apiId": "<urlid>",
        "authentication": None,
        "authorizer": {"iam": {"accessKey": "AKIA...", "accountId": "111122223333"}},
        "domainName": "<url-id>.lambda-url.us-west-2.on.aws",
        "domainPrefix": "<url-id>",
    }
    return event


def function_compute(method: str, path: str, body: str, *, encoded: bool = False) -> dict[str, Any]:
    """An event of an HTTP trigger of Function Compute 3.0, all keys of the documented example.

    https://www.alibabacloud.com/help/en/functioncompute/fc-3-0/user-guide/http-trigger-invoking-function
    """
    return {
        "version": "v1",
        "rawPath": path,
        "body": _encoded(body) if encoded else body,
        "isBase64Encoded": encoded,
        "headers": {"header1": "value1", "header2": "value1,value2"},
        "queryParameters": {"parameter1": "value1", "parameter2": "value1,value2"},
        "requestContext": {
            "accountId": "123456",
            "domainName": "<http-trigger-id>.<region-id>.fcapp.run",
            "domainPrefix": "<http-trigger-id>",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "agent",
            },
            "requestId": "1-64f6cd87-example",
            "time": "2023-09-05T06:41:11Z",
            "timeEpoch": "1693896071895",
        },
    }


def _encoded(body: str) -> str:
    return base64.b64encode(body.encode("utf-8", "surrogatepass")).decode()
