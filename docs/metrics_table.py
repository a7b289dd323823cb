"""Prints the table of docs/metrics.md and its translation from the table of the code.

python docs/metrics_table.py           prints them
python docs/metrics_table.py --write   puts them into the pages
"""

import re
import sys
from collections.abc import Mapping
from pathlib import Path

import attrs

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gemproxy.metrics.families import FAMILIES, Family

DOCS = Path(__file__).resolve().parent
_MARKS = re.compile(r"(<!-- metrics -->\n).*?(<!-- /metrics -->)", re.DOTALL)


@attrs.frozen
class Language:
    """A page, the head of its table, and the words for metrics by their names."""

    page: Path
    head: str
    words: Mapping[str, str]


_TRANSLATED = {
    "gemproxy_requests_total": "已结束的请求，按响应状态和结束方式。",
    "gemproxy_response_bytes_total": "写给客户端的字节，包括响应头。",
    "gemproxy_request_duration_seconds": "从请求头到响应结束的秒数。",
    "gemproxy_time_to_first_chunk_seconds": "到流的第一个内容为止的秒数。",
    "gemproxy_overhead_seconds": (
        "第一次尝试之前（包括接收客户端请求体）和最后一次尝试之后的秒数。"
    ),
    "gemproxy_upstream_attempts_total": "发往上游的请求，按状态；没有响应时按原因。",
    "gemproxy_upstream_duration_seconds": "一次上游请求的秒数。",
    "gemproxy_upstream_time_to_head_seconds": "到上游的状态和响应头为止的秒数。",
    "gemproxy_stream_interruptions_total": "必须重做的尝试，按原因。",
    "gemproxy_stream_resumes_total": (
        "被中断的响应：ok（最终完整）、gave_up（放弃）或 left（客户端已离开）。"
    ),
    "gemproxy_stream_resume_attempts": "一个流在第一次之外的尝试次数。",
    "gemproxy_stream_repair_delay_seconds": "从中断到接上的文本之间没有内容的秒数。",
    "gemproxy_splice_joints_total": "已接上的续传尝试，按找到接点的方式。",
    "gemproxy_streams_ended_total": "已结束的流式生成，按结束方式和客户端得到的 finishReason。",
    "gemproxy_tokens_total": "响应的 token：输入（含缓存）、输出和思考，不含修复。",
    "gemproxy_cached_tokens_total": "输入 token 中来自缓存的部分。",
    "gemproxy_extra_tokens_total": "修复额外花费的 token。",
    "gemproxy_cost_usd_total": (
        "按价目表计算的美元，只含账目统计的请求：用户支付的，以及修复让运营者多付的。"
    ),
    "gemproxy_session_frames_total": "Live 会话的消息。",
    "gemproxy_session_bytes_total": "Live 会话的字节。",
    "gemproxy_rate_limited_total": "因我们的限额被拒绝的请求，按限额。",
    "gemproxy_auth_failures_total": "因访问密钥被拒绝的请求，按原因。",
    "gemproxy_recording_failures_total": "因我们自己的错误没能完整计数的请求。",
    "gemproxy_build_info": "恒为 1，标签是代理和 Python 的版本。",
    "gemproxy_workers": "工作进程，按是否回答了这次抓取。",
    "gemproxy_inflight_requests": "正在进行的请求。",
    "gemproxy_inflight_streams": "正在进行的模型回答，包括会话。",
    "gemproxy_inflight_limit": "所有工作进程合计可同时进行的请求（max_connections）。",
    "gemproxy_event_loop_lag_seconds": ("最近 15 秒内事件循环定时器的最长延迟，取最慢的工作进程。"),
    "gemproxy_keys": "密钥池的密钥：ready、resting（其项目对某个模型在休息）或 sick。",
    "gemproxy_keys_sick": "已移出密钥池的密钥，按原因。",
    "gemproxy_rests": "此刻对某个模型休息的项目，按原因。",
    "gemproxy_key_cooldowns_total": "由拒绝引起的休息和故障，按原因。",
    "gemproxy_usage_queue_depth": "等待写入账本的行。",
    "gemproxy_usage_failing_seconds": "账本无法写入以来的秒数；能写入时为 0。",
    "gemproxy_usage_write_failures_total": "永远不会写入账本的行。",
    "gemproxy_pictures_kept_total": "放入图片存储的图片。",
    "gemproxy_pictures": "内存存储中的图片。",
    "gemproxy_picture_bytes": "这些图片的字节。",
    "gemproxy_picture_failures_total": "图片存储的故障。",
    "gemproxy_ledger_requests": "账本中今天和本月的请求，按结束方式，或 running。",
    "gemproxy_ledger_tokens": "账本中今天和本月的 token。",
    "gemproxy_ledger_cost_usd": "账本中今天和本月的美元。",
    "process_cpu_seconds_total": "所有工作进程的处理器时间。",
    "process_resident_memory_bytes": "所有工作进程的内存。",
    "process_virtual_memory_bytes": "所有工作进程的虚拟内存。",
    "process_open_fds": "所有工作进程打开的文件描述符。",
    "process_max_fds": "一个工作进程的文件描述符上限。",
    "process_start_time_seconds": "启动的 Unix 时间。",
    "python_gc_collections_total": "Python 垃圾回收的次数。",
    "python_gc_objects_collected_total": "它释放的对象。",
}

ENGLISH = Language(
    DOCS / "metrics.md",
    "| metric | type | labels | |\n| --- | --- | --- | --- |\n",
    {family.shown: family.help for family in FAMILIES},
)
CHINESE = Language(
    DOCS / "metrics.zh-CN.md",
    "| 指标 | 类型 | 标签 | |\n| --- | --- | --- | --- |\n",
    _TRANSLATED,
)


def table(language: Language) -> str:
    """Return the table of all metrics."""
    return language.head + "".join(_row(family, language) for family in FAMILIES)


def _row(family: Family, language: Language) -> str:
    labels = ", ".join(f"`{label}`" for label in family.labels)
    words = language.words[family.shown]
    return f"| `{family.shown}` | {family.kind.value} | {labels} | {words} |\n"


def page_with_table(page: str, language: Language) -> str:
    """Return a page with its table as it has to be."""
    return _MARKS.sub(lambda marks: marks[1] + table(language) + marks[2], page)


def main() -> None:
    """Print the tables, or put them into the pages."""
    for language in (ENGLISH, CHINESE):
        if "--write" in sys.argv[1:]:
            page = language.page.read_text(encoding="utf-8")
            language.page.write_text(page_with_table(page, language), encoding="utf-8")
        else:
            sys.stdout.write(table(language))


if __name__ == "__main__":
    main()
