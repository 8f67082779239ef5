"""nbgrader for everybody on a JupyterHub: goes to /etc/jupyter/nbgrader_config.py of the image.

The instructors' checkout has its own nbgrader_config.py on top. With `NGSHARE_URL` the exchange is
ngshare, a service; without it, it is a folder that all servers share.
"""

import os

c = get_config()  # type: ignore[name-defined]  # noqa: F821  (given by the loader of this file)

c.CourseDirectory.course_id = "leverage_course"
if os.environ.get("NGSHARE_URL"):
    from ngshare_exchange import configureExchange

    configureExchange(c, ngshare_url=os.environ["NGSHARE_URL"])
else:
    c.Exchange.root = os.environ.get("NBGRADER_EXCHANGE", "/srv/nbgrader/exchange")
