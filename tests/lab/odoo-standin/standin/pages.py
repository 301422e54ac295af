"""The few pages: the login form with its token, the list of databases, redirects and errors."""

import html

LOGIN = """<!DOCTYPE html>
<html style="height: 100%;">
    <head>
        <meta charset="utf-8"/>
        <title>Odoo</title>
        <script id="web.layout.odooscript" type="text/javascript">
            var odoo = {{
                csrf_token: "{token}",
                debug: "",
            }};
        </script>
        <meta name="robots" content="noindex, nofollow"/>
    </head>
    <body class="bg-100">
        <div id="wrapwrap" class="">
            <main>
            <form role="form" method="post" class="oe_login_form" action="/web/login">
                <input type="hidden" name="csrf_token" value="{token}"/>
                <input type="text" placeholder="Email" name="login" id="login" class="form-control" required="required" autocomplete="username"/>
                <input type="password" placeholder="Password" name="password" id="password" class="form-control" required="required" maxlength="4096"/>
                {error}
                <button type="submit" class="btn btn-primary">Log in</button>
                <input type="hidden" name="type" value="password"/>
                <input type="hidden" name="redirect"/>
            </form>
            <p>Answered by a stand-in for Odoo.{manage}</p>
            </main>
        </div>{banner}
    </body>
</html>
"""
BANNER = '\n        <span id="oe_neutralize_banner">Database neutralized for testing: no emails sent, etc.</span>'
MANAGE = ' <a href="/web/database/manager">Manage Databases</a>'


def login(token, harmless, listed, error=None):
    """The login form."""
    shown = f'<p class="alert alert-danger" role="alert">{html.escape(error)}</p>' if error else ""
    return LOGIN.format(token=token, banner=BANNER if harmless else "", manage=MANAGE if listed else "", error=shown)


def databases(names):
    """The databases to choose from, or that they are not shown."""
    if names is None:
        shown = '<div class="alert alert-danger">The database manager has been disabled by the administrator</div>'
    else:
        shown = "\n".join(f'<a class="d-block flex-grow-1" href="/odoo?db={html.escape(name)}">{html.escape(name)}</a>' for name in names)
    return f"<html>\n<head>\n    <title>Odoo</title>\n</head>\n<body>\n<p>Answered by a stand-in for Odoo.</p>\n{shown}\n</body>\n</html>\n"


def home():
    """What a user sees after logging in."""
    return "<!DOCTYPE html>\n<html><head><title>Odoo</title></head><body>Answered by a stand-in for Odoo.</body></html>\n"


def redirect(target):
    """Says where to go."""
    shown = html.escape(target)
    return (
        "<!doctype html>\n<html lang=en>\n<title>Redirecting...</title>\n<h1>Redirecting...</h1>\n<p>You should be redirected automatically to the target URL: "
        f'<a href="{shown}">{shown}</a>. If not, click the link.\n'
    )


def error(status, why):
    """Says what went wrong."""
    why = why or {
        400: "The browser (or proxy) sent a request that this server could not understand.",
        404: "The requested URL was not found on the server. If you entered the URL manually please check your spelling and try again.",
        500: "The server encountered an internal error and was unable to complete your request. "
        "Either the server is overloaded or there is an error in the application.",
    }.get(status.value, status.description)
    return f"<!doctype html>\n<html lang=en>\n<title>{status.value} {status.phrase}</title>\n<h1>{status.phrase}</h1>\n<p>{html.escape(why)}</p>\n"
