// Names of properties, for people. One that is missing here is shown by its own name.

import { dict } from "@/words/words";

export const propWords = dict<Record<string, string>>({
  en: {
    prompt: "Prompt", messages: "Messages, instead of a prompt", system: "System message", provider: "Provider", model: "Model", temperature: "Temperature", top_p: "Top p", max_tokens: "Tokens at most",
    response_schema: "Schema of the answer", repair_attempts: "Repairs of an answer that does not fit", tools: "Tools", max_tool_rounds: "Rounds of tools at most", on_tool_error: "When a tool fails",
    agent: "Agent, in one place", agent_id: "Stored agent", persona: "Persona", memory: "Memory", name: "Name", output: "Output", vars: "Variables to set", cases: "Cases", default: "Otherwise",
    max_concurrent: "At once, at most", max_rounds: "Rounds at most", exit_when: "Leave when", score: "Score of a round", exit_on_score: "Leave at a score of", regression_delta: "Leave when worse by",
    stagnation_rounds: "Leave after rounds without progress", rollback: "On a regression: files as in the best round", review_type: "Kind of review", draft: "What is reviewed", form_schema: "Schema of the form",
    actions: "Possible answers", allow_skip: "May be skipped", timeout_minutes: "Minutes to answer", on_timeout: "When nobody answers", reminder_minutes: "Remind after minutes", reminders: "Reminders",
    reviewers: "Who may answer", quorum: "So many must agree", reject_quorum: "So many must reject", duration_ms: "Wait for, in ms", until: "Wait until", code: "Lua code", timeout_ms: "Time limit in ms", memory_bytes_max: "Memory limit in bytes",
    tool: "Tool", arguments: "Arguments", server: "MCP server", description: "Description", checklist: "Checklist", deliverables: "Deliverables", depends_on: "Stages that come first", estimated_minutes: "Minutes, estimated",
    weight: "Weight", order: "Place in lists", condition: "Only if", queue: "Queue", input: "Input", heartbeat_ms: "Lease without heartbeat, in ms", workflow_id: "Workflow", version: "Version", items: "Items", body: "Members",
    on_item_error: "When an item fails", steps: "Steps", voters: "Voters", question: "Question", vote_type: "Kind of vote", threshold: "Enough at", text: "Text to check", search_sources: "Where to search", max_queries: "Queries for a claim",
    max_claims: "Claims at most", verify_threshold: "Share that must hold", max_recent_rounds: "Rounds kept as they are", query: "Question to memory", group_id: "Group", max_results: "Results at most", time_range_days: "Not older than days",
    relevance_threshold: "Relevance at least", when: "Run only when", join: "With several arrows, wait for", retry: "Try again", on_error: "When it fails", max_attempts: "Attempts at most", initial_ms: "First wait in ms", multiplier: "Each wait longer by", max_ms: "Longest wait in ms",
    on: "Only for these codes", loop_depth: "Starts of a node", tokens_per_s: "Tokens a second", repetition: "The same words, times", variety: "Share of different words", content: "Text", role: "Role", required: "Needed", group_results: "From the group", agent_results: "From the agent", parameters: "Schema of its arguments",
  },
  zh: {
    prompt: "提示词", messages: "消息（代替提示词）", system: "系统消息", provider: "提供方", model: "模型", temperature: "温度", top_p: "Top p", max_tokens: "token 上限",
    response_schema: "回答的模式", repair_attempts: "回答不符时的修复次数", tools: "工具", max_tool_rounds: "工具轮数上限", on_tool_error: "工具失败时",
    agent: "智能体（集中书写）", agent_id: "已存储的智能体", persona: "人设", memory: "记忆", name: "名称", output: "输出", vars: "要设置的变量", cases: "情况", default: "其他情况",
    max_concurrent: "同时进行的上限", max_rounds: "轮数上限", exit_when: "退出条件", score: "本轮得分", exit_on_score: "达到此分数时退出", regression_delta: "下降多少时退出",
    stagnation_rounds: "无进展多少轮后退出", rollback: "退步时：文件恢复到最佳一轮", review_type: "审阅方式", draft: "审阅的内容", form_schema: "表单的模式",
    actions: "可选的答复", allow_skip: "可以跳过", timeout_minutes: "答复时限（分钟）", on_timeout: "无人答复时", reminder_minutes: "多少分钟后提醒", reminders: "提醒次数",
    reviewers: "谁可以答复", quorum: "需要多少人同意", reject_quorum: "需要多少人拒绝", duration_ms: "等待时长（毫秒）", until: "等到", code: "Lua 代码", timeout_ms: "时限（毫秒）", memory_bytes_max: "内存上限（字节）",
    tool: "工具", arguments: "参数", server: "MCP 服务器", description: "说明", checklist: "清单", deliverables: "交付物", depends_on: "先完成的阶段", estimated_minutes: "预计分钟数",
    weight: "权重", order: "列表中的位置", condition: "执行条件", queue: "队列", input: "输入", heartbeat_ms: "无心跳的租期（毫秒）", workflow_id: "流程", version: "版本", items: "各项", body: "成员",
    on_item_error: "某项失败时", steps: "步骤", voters: "投票人", question: "问题", vote_type: "投票方式", threshold: "通过门槛", text: "要核查的文本", search_sources: "搜索来源", max_queries: "每条论断的查询数",
    max_claims: "论断上限", verify_threshold: "必须成立的比例", max_recent_rounds: "原样保留的轮数", query: "向记忆提出的问题", group_id: "小组", max_results: "结果上限", time_range_days: "不早于（天）",
    relevance_threshold: "最低相关度", when: "运行条件", join: "有多条连线时等待", retry: "重试", on_error: "失败时", max_attempts: "尝试次数上限", initial_ms: "首次等待（毫秒）", multiplier: "每次等待的倍数", max_ms: "最长等待（毫秒）",
    on: "仅限这些错误码", loop_depth: "节点启动次数", tokens_per_s: "每秒 token 数", repetition: "相同词语的次数", variety: "不同词语的比例", content: "内容", role: "角色", required: "必填", group_results: "来自小组", agent_results: "来自智能体", parameters: "参数的模式",
  },
});

/** What a property is for, where its name does not say enough. */
export const propAbout = dict<Record<string, string>>({
  en: {
    prompt: "Text with {{ expressions }} in it.", persona: "Who speaks, and how. Without one, a stored agent.", output: "An expression, or JSON whose texts are expressions.", cases: "The first that holds is taken.",
    exit_when: "An expression, asked after every round.", score: "An expression: the score of the round that is over.", items: "An expression that gives a list.", when: "An expression; when it is false the node is skipped.",
    draft: "What the reviewer reads and may change.", until: "A time (RFC 3339), or a template that gives one.", query: "Without one: the topic, and what the nodes before said.", question: "Without one: the topic, and what the nodes before said.",
    text: "Without one: the topic, and what the nodes before said.", condition: "An expression; false passes the stage over.", code: "What it returns is the output.", input: "JSON whose texts are expressions; without it, this session's input.",
  },
  zh: {
    prompt: "可包含 {{ 表达式 }} 的文本。", persona: "由谁发言、如何发言。留空则使用已存储的智能体。", output: "表达式，或其文本为表达式的 JSON。", cases: "取第一个成立的情况。",
    exit_when: "表达式，每轮结束后判断。", score: "表达式：刚结束一轮的得分。", items: "给出列表的表达式。", when: "表达式；为假时跳过此节点。",
    draft: "审阅者阅读并可修改的内容。", until: "时间（RFC 3339），或给出时间的模板。", query: "留空：主题以及之前节点所说的内容。", question: "留空：主题以及之前节点所说的内容。",
    text: "留空：主题以及之前节点所说的内容。", condition: "表达式；为假时略过此阶段。", code: "返回值即为输出。", input: "其文本为表达式的 JSON；留空则为本会话的输入。",
  },
});

export const choiceWords = dict<Record<string, string>>({
  en: {
    approve_reject: "approve or reject", edit_content: "edit a text", form: "fill in a form", fail: "fail", skip: "skip", route: "take the route “timeout”", tell: "tell the model", drop: "leave the item out", yes_no: "yes or no", score_1_10: "a score of 1 to 10",
  },
  zh: { approve_reject: "批准或拒绝", edit_content: "编辑文本", form: "填写表单", fail: "失败", skip: "跳过", route: "走“timeout”去向", tell: "告知模型", drop: "略去该项", yes_no: "是或否", score_1_10: "1 到 10 分" },
});
