// Words that several parts of the page share: states, kinds of nodes, what people do, errors by their code.

import { dict } from "./words";

export const common = dict({
  en: {
    cancel: "Cancel", close: "Close", save: "Save", saving: "Saving…", remove: "Delete", removing: "Deleting…", edit: "Edit", add: "Add",
    create: "Create", creating: "Creating…", copy: "Copy", copied: "Copied", again: "Try again", loading: "Loading…", more: "Show more", search: "Search",
    name: "Name", description: "Description", optional: "optional", none: "none", yes: "Yes", no: "No", all: "All", dismiss: "Dismiss",
    created: "Created", updated: "Updated", status: "State", back: "Back", undo: "Undo", redo: "Redo", open: "Open", discard: "Discard",
    menu: "Menu", version: (n: number) => `Version ${n}`, nothingHere: "There is nothing here", nobody: "nobody",
    noCopy: "The browser does not let the page copy. Select the text and copy it yourself.",
    staleSince: (time: string) => `The server cannot be reached. What stands here is of ${time}.`,
    unsaved: "There are changes that are not saved. Leave them?",
  },
  zh: {
    cancel: "取消", close: "关闭", save: "保存", saving: "正在保存…", remove: "删除", removing: "正在删除…", edit: "编辑", add: "添加",
    create: "创建", creating: "正在创建…", copy: "复制", copied: "已复制", again: "重试", loading: "正在加载…", more: "显示更多", search: "搜索",
    name: "名称", description: "说明", optional: "可选", none: "无", yes: "是", no: "否", all: "全部", dismiss: "关闭提示",
    created: "创建于", updated: "更新于", status: "状态", back: "返回", undo: "撤销", redo: "重做", open: "打开", discard: "放弃",
    menu: "菜单", version: (n: number) => `版本 ${n}`, nothingHere: "这里什么都没有", nobody: "无人", noCopy: "浏览器不允许页面复制，请自行选中文本复制。",
    staleSince: (time: string) => `无法连接服务器。此处显示的是 ${time} 的内容。`,
    unsaved: "有未保存的更改，确定离开吗？",
  },
});

export const statusWords = dict<Record<string, string>>({
  en: {
    pending: "Pending", running: "Running", paused: "Paused", completed: "Completed", failed: "Failed", cancelled: "Cancelled",
    skipped: "Skipped", suspended: "Waiting", pausing: "Pausing…", resuming: "Resuming…", cancelling: "Cancelling…", active: "Active",
    answered: "Answered", expired: "Expired", unknown: "Unknown",
  },
  zh: {
    pending: "等待开始", running: "运行中", paused: "已暂停", completed: "已完成", failed: "失败", cancelled: "已取消",
    skipped: "已跳过", suspended: "等待处理", pausing: "正在暂停…", resuming: "正在继续…", cancelling: "正在取消…", active: "进行中",
    answered: "已答复", expired: "已过期", unknown: "未知",
  },
});

export const kindWords = dict<Record<string, string>>({
  en: {
    start: "Start", end: "End", llm: "Model", agent: "Agent", tool: "Tool", script: "Script", transform: "Transform", switch: "Switch",
    parallel: "Parallel", map: "Map", sequence: "Sequence", loop: "Loop", vote: "Vote", fact_check: "Fact check", human_review: "Review",
    user_input: "Your input", stage: "Stage", signal: "Signal", wait: "Wait", memory_retrieval: "Memory", context_synth: "Summary of rounds",
    subworkflow: "Sub-workflow", task: "Task", node: "Node",
  },
  zh: {
    start: "开始", end: "结束", llm: "模型", agent: "智能体", tool: "工具", script: "脚本", transform: "转换", switch: "分支",
    parallel: "并行", map: "遍历", sequence: "顺序", loop: "循环", vote: "投票", fact_check: "事实核查", human_review: "人工审阅",
    user_input: "用户输入", stage: "阶段", signal: "信号", wait: "等待", memory_retrieval: "记忆", context_synth: "轮次摘要",
    subworkflow: "子流程", task: "任务", node: "节点",
  },
});

/** Why a loop has ended. */
export const exitWords = dict<Record<string, string>>({
  en: {
    exit_when: "its condition held", exit_on_score: "the score was reached", score: "the score was reached", max_rounds: "the most rounds were done",
    regression: "the score fell back", stagnation: "the score no longer rose",
  },
  zh: {
    exit_when: "条件成立", exit_on_score: "达到评分", score: "达到评分", max_rounds: "已达最多轮次", regression: "评分下降", stagnation: "评分不再上升",
  },
});

/** What to tell for an error's code. Where a code is missing, the server's own sentence is shown as it is. */
export const errorWords = dict<Record<string, string>>({
  en: {
    unreachable: "The server cannot be reached. Is it running?",
    timeout: "The server did not answer in time.",
    bad_answer: "The answer was not one of this server's. Is something in between?",
  },
  zh: {
    unreachable: "无法连接服务器，它在运行吗？",
    timeout: "服务器没有及时响应。",
    bad_answer: "收到的响应不是此服务器的，中间是否有代理？",
    not_found: "找不到该对象。", conflict: "当前状态不允许此操作。", stale: "它已被他人更改，请重新加载后再试。",
    forbidden: "你的密钥无权执行此操作。", unauthorized: "需要有效的密钥。", too_large: "内容过大。", invalid: "内容无效。",
    rate_limited: "请求过于频繁，请稍后再试。", unavailable: "存储暂时不可用，请稍后再试。", internal: "服务器内部出错。",
  },
});
