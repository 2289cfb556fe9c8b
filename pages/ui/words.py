"""The interface's own words, in both languages. A lesson's words stand in its en.md and zh.md."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

NAMES = {"en": "English", "zh": "中文"}

WORDS: dict[str, tuple[str, str]] = {
    # frame
    "app": ("Torchroom", "Torchroom"),
    "home": ("Contents", "目录"),
    "lab": ("Engine room", "引擎室"),
    "about": ("About", "关于"),
    "language": ("Language", "语言"),
    "motto": ("Learn deep learning by running it.", "动手运行，学会深度学习。"),
    "promise": (
        "Every number on screen is the model's own. Every run can be paused, stepped and rewound. "
        "Every experiment is a link you can share.",
        "屏幕上的每个数字都来自真实的模型；每次训练都能暂停、单步和回放；每个实验都是一条可以分享的链接。",
    ),
    "minutes": ("{n} min", "{n} 分钟"),
    "course": (
        "{lessons} lessons in {chapters} chapters, about {hours} hours in all. Take them in order, or go where you "
        "like: each says what it builds on.",
        "共 {chapters} 章 {lessons} 课，全部学完大约 {hours} 小时。可以按顺序学，也可以跳着学，每课都注明了先修内容。",
    ),
    "start_with": ("Start with {number} · {lesson}", "从 {number} · {lesson} 开始"),
    "go_on_with": ("Go on with {number} · {lesson}", "继续：{number} · {lesson}"),
    "here": ("**you are here**", "**学到这里**"),
    "after": ("after: {lessons}", "先修：{lessons}"),
    "open": ("Open", "进入"),
    "begin": ("Begin", "开始学习"),
    "seen": ("seen", "已看"),
    "ran": ("run", "已运行"),
    "mastered": ("quiz done", "测验完成"),
    "progress": ("{done} of {all} lessons finished", "已完成 {done} / {all} 课"),
    "keep": (
        "Your progress is in this page's address: bookmark it to keep it.",
        "学习进度保存在本页网址中，收藏网址即可保留。",
    ),
    "device": ("computing on: **{devices}**", "计算设备：**{devices}**"),
    "worker_ready": ("ready", "就绪"),
    "worker_starting": ("starting", "启动中"),
    "worker_stuck": ("cannot start, see below", "无法启动，见下"),
    "worker_restarting": ("restarting after it stopped", "中断后重启中"),
    "no_device": ("the engine is starting", "引擎正在启动"),
    # a lesson's page
    "preset": ("Preset", "预设"),
    "own": ("My own settings", "自定义"),
    "run": ("Run", "运行"),
    "run_help": ("Run with these settings (Ctrl+Enter)", "用当前设置运行（Ctrl+Enter）"),
    "reset": ("Reset", "复位"),
    "reset_help": ("All settings back to the lesson's own", "所有设置恢复为本课默认值"),
    "more": ("More settings", "更多设置"),
    "seed": ("Seed", "随机种子"),
    "seed_help": (
        "The same seed and settings give the same run, number for number.",
        "种子和设置相同，每次运行的数字完全一致。",
    ),
    "dice": ("another seed", "换一个种子"),
    "search": ("none; type to search", "未选，可输入搜索"),
    "figure_sets": ("{values} (set by a click in the figure)", "{values}（点击图中位置即可修改）"),
    "live_note": ("{help} (changes the run while it goes on)", "{help}（训练进行中也可以改）"),
    "changed": (
        "Settings have changed; the board still shows the run before. Press Run for a new one, or fork "
        "this one to go on from here with them.",
        "设置已改动，图中仍是之前的运行。点击“运行”重新开始，或点播放器上的分叉，用新设置从当前位置继续。",
    ),
    "linked": (
        "A recording of the default settings. Your settings are ready: press Run.",
        "图中是默认设置的录像。你的设置已就绪，点击“运行”即可。",
    ),
    "recorded": (
        "A recorded run of the default settings. Press Run for your own.",
        "默认设置的录像，点击“运行”亲自试一次。",
    ),
    "not_here": ("There is no recording of this lesson here yet. Press Run.", "本课暂无录像，点击“运行”开始。"),
    "gone": (
        "The run that was shown here is no longer kept. Press Run to make it again.",
        "之前显示的运行已不再保留。点击“运行”可以重新得到它。",
    ),
    "forked": (
        "Forked at step {step}: {changed}. The original is drawn pale.",
        "从第 {step} 步分叉：{changed}。淡色为原来的运行。",
    ),
    "forked_same": (
        "A copy from step {step} on with the same settings, so the same numbers. Change one, then fork.",
        "从第 {step} 步起的副本，设置相同，数字也相同。先改一个设置，再分叉。",
    ),
    "upload_help": (
        "PNG, JPEG, WebP, GIF or BMP, at most 10 MB and 24 megapixels",
        "PNG、JPEG、WebP、GIF 或 BMP，不超过 10 MB、2400 万像素",
    ),
    "try": ("Try it", "动手试试"),
    "predict": ("Predict", "先猜再看"),
    "why": ("Why it works", "为什么"),
    "example": ("Worked example", "算一遍"),
    "quiz": ("Quiz", "小测验"),
    "terms": ("Terms", "术语"),
    "code": ("Code", "代码"),
    "read_on": ("Read on", "延伸阅读"),
    "predict_lead": (
        "Choose what you expect first, then let the run answer.",
        "先选你的预测，再让训练给出答案。",
    ),
    "predict_run": ("Run it and see", "运行，看结果"),
    "right": ("Right.", "答对了。"),
    "wrong": ("Not quite. The answer is: {answer}.", "不对，应该是：{answer}。"),
    "score": ("{right} of {all} right.", "答对 {right} / {all} 题。"),
    "score_all": ("All {all} right. This lesson is done.", "{all} 题全对，本课完成。"),
    "code_lead": (
        "The same lesson as a plain PyTorch program, with your settings filled in. It runs anywhere torch is installed "
        "and ends at the same loss.",
        "这是本课对应的纯 PyTorch 程序，已填入你的设置。装好 torch 就能运行，最终损失与页面一致。",
    ),
    "download": ("Download this program", "下载程序"),
    "not_known": (
        "{name} = {value} is not known. Choose one of: {known}.",
        "{name} = {value} 不存在，可选：{known}。",
    ),
    # data
    "cifar_missing": (
        "CIFAR-10 is not on this machine yet. Until it is, the lesson runs on 1,797 real handwritten digits.",
        "本机还没有 CIFAR-10。下载之前，本课使用 1,797 张真实的手写数字。",
    ),
    "cifar_get": ("Download CIFAR-10 (170 MB)", "下载 CIFAR-10（170 MB）"),
    "cifar_progress": ("Downloading CIFAR-10: {done} of {all} MB", "正在下载 CIFAR-10：{done} / {all} MB"),
    "cifar_checking": ("Checking and unpacking CIFAR-10 …", "正在校验并解压 CIFAR-10……"),
    "cifar_here": ("CIFAR-10 is here. Choose it under Images.", "CIFAR-10 已就绪，请在“图像”中选择。"),
    # the engine room
    "lab_lead": (
        "What the shared engine is doing now. Equal experiments are one run with several viewers.",
        "共享引擎当前的工作。相同的实验只运行一次，大家一起看。",
    ),
    "workers": ("Workers", "工作进程"),
    "runs": ("Runs", "运行"),
    "no_runs": ("Nothing is running. Open a lesson and press Run.", "目前没有运行。打开一课，点击“运行”。"),
    "col_device": ("device", "设备"),
    "col_state": ("state", "状态"),
    "col_runs": ("runs", "运行数"),
    "col_lesson": ("lesson", "课程"),
    "col_step": ("step", "步数"),
    "col_rate": ("steps/s", "步/秒"),
    "col_viewers": ("viewers", "观看"),
    "col_place": ("place", "排队"),
    "col_who": ("whose", "归属"),
    "mine": ("yours", "你的"),
    "bring": ("Open a recorded run", "打开运行记录"),
    "bring_lead": (
        "A run that was saved with the arrow under its player, here or elsewhere. It plays without being computed "
        "again.",
        "用播放器上的下载箭头保存的运行，来自这里或别处都行。播放时不会重新计算。",
    ),
    "bring_file": ("A .run file, at most {most} MB", ".run 文件，不超过 {most} MB"),
    "brought": ("{lesson}, {steps} steps: `{run}`", "{lesson}，{steps} 步：`{run}`"),
    "bring_show": ("Show it", "打开"),
    "stop_mine": ("Stop {run}", "停止 {run}"),
    "status_queued": ("queued", "排队中"),
    "status_running": ("running", "运行中"),
    "status_paused": ("paused", "已暂停"),
    "status_done": ("done", "已完成"),
    "status_stopped": ("stopped", "已停止"),
    "status_failed": ("failed", "失败"),
    "status_recorded": ("recorded", "录像"),
    "error_title": ("Something went wrong on this page", "页面出错了"),
    "error_text": (
        "The page could not be drawn; the server's log says why. Your settings are in the address above: reload to "
        "try again.",
        "页面未能显示（原因见服务器日志）。你的设置保存在上方网址中，刷新即可重试。",
    ),
}

# The words of the board's player, sent with the board spec.
PLAYER: dict[str, tuple[str, str]] = {
    "play": ("Play", "播放"),
    "pause": ("Pause", "暂停"),
    "step": ("step", "步"),
    "step_back": ("One step back", "后退一步"),
    "step_forward": ("One step on", "前进一步"),
    "stop": ("Stop the run", "停止运行"),
    "resume": ("Go on", "继续运行"),
    "halt": ("Pause the run", "暂停运行"),
    "speed": ("Speed", "速度"),
    "live": ("Live", "实时"),
    "to_live": ("To the newest step", "回到最新一步"),
    "scrubber": ("Step of the run", "运行的步数"),
    "fork": (
        "Fork at step {at} (F): a new run goes on from there with the settings as they stand now",
        "在第 {at} 步分叉（F）：用当前设置从那里开始新的运行",
    ),
    "no_fork": (
        "Only a run of your own can be forked. Press Run first.",
        "只能对自己的运行分叉，请先点“运行”。",
    ),
    "save": ("Save this run as a file", "把这次运行保存为文件"),
    "recorded": ("Recorded", "录像"),
    "queued": ("Waiting: place {place} in the queue", "排队中：第 {place} 位"),
    "running": ("Running", "运行中"),
    "paused": ("Paused", "已暂停"),
    "done": ("Finished", "已完成"),
    "stopped": ("Stopped", "已停止"),
    "failed": ("Failed", "失败"),
    "starting": ("Starting …", "正在启动……"),
    "reconnecting": ("Connection lost; reconnecting …", "连接中断，正在重连……"),
    "loading": ("Loading …", "加载中……"),
    "of": ("of", "/"),
    "rate": ("{rate} steps/s", "{rate} 步/秒"),
    "left": ("{time} left", "剩余 {time}"),
    "seconds": ("{n} s", "{n} 秒"),
    "minutes": ("{n} min", "{n} 分"),
    "viewers": ("{n} watching", "{n} 人在看"),
    "viewer": ("1 watching", "1 人在看"),
    "device": ("on {device}", "设备 {device}"),
    "log": ("log", "对数"),
    "linear": ("linear", "线性"),
    "seed_at": ("seed {seed}: {value}", "种子 {seed}：{value}"),
    "reset_zoom": ("Reset view", "重置视图"),
    "wipe": ("Wipe out", "擦掉"),
    "no_data": ("Nothing yet", "暂无数据"),
    "no_points": ("Nothing that can be drawn at this step", "这一步没有画得出来的数"),
    "other": ("other", "其他"),
    "moved": (
        "You changed a shared run, so you have your own copy of it from here on.",
        "你改动了大家共看的运行，从此刻起你有了自己的副本。",
    ),
    "refused": ("Not done: {error}", "未执行：{error}"),
    "keys": (
        "Space plays and pauses, the arrow keys step, Home and End jump. "
        "[ and ] go to the marked steps, F forks there.",
        "空格键播放和暂停，方向键单步，Home / End 跳到首尾，[ 和 ] 跳到有标记的步数，F 在那里分叉。",
    ),
    "send": ("Run this text", "运行这段文字"),
    "characters": ("{n} of {longest} characters · Ctrl+Enter", "{n} / {longest} 个字符 · Ctrl+Enter"),
    "dismiss": ("Close this message", "关闭提示"),
    "reading": ("In words", "文字说明"),
    "expired": ("This page is too old to command runs. Reload it.", "页面已过期，请刷新后再操作。"),
}


def say(key: str, language: str, **values: Any) -> str:
    """A word or sentence of the interface, with {names} filled in."""
    text = WORDS[key][language == "zh"]
    return text.format(**values) if values else text


def joined(names: Iterable[str], language: str) -> str:
    """Names one after the other, as the language separates them."""
    return ("、" if language == "zh" else ", ").join(names)


def player(language: str) -> dict[str, str]:
    """The player's words, for the board spec."""
    return {key: pair[language == "zh"] for key, pair in PLAYER.items()}


def as_text(sentence: str) -> str:
    """A sentence with a learner's own characters in it, escaped so that Markdown shows them as they are."""
    return re.sub(r"([\\`*_{}\[\]<>#$~|:])", r"\\\1", sentence)
