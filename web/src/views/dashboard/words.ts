import { plural, count } from "@/ui/format";
import { dict } from "@/words/words";

export const dashboardWords = dict({
  en: {
    title: "Dashboard", about: "What runs, how it ended, how long it took and what it cost. Days are UTC.",
    range: "Time", ranges: (n: number) => (n === 1 ? "Today" : `Last ${n} days`), since: (day: string) => `Since ${day}`, workflow: "Workflow", allWorkflows: "all workflows",
    running: "Running now", waiting: "Waiting for a person", sessions: "Sessions", completed: "Completed", failed: "Failed", tokens: "Tokens", cost: "Cost", latency: "Half of them took",
    ofAll: (share: string) => `${share} of all`, truncated: "There are more sessions than are counted here: the newest 200,000.", unpriced: (n: number) => `${plural(n, "call")} without a price`, estimated: (n: number) => `${plural(n, "call")} estimated`,
    perDay: "Sessions by day", day: "Day", count: "Sessions", tokensPerDay: "Tokens by day", input: "Read", output: "Written", costPerDay: "Cost by day", dollars: "Dollars", noCost: "Nothing that has a price was called in this time.",
    durations: "How long sessions took", durationsAbout: "From their beginning to their end, pauses and waiting too.", p50: "Half took less than", p90: "9 of 10 less than", p99: "99 of 100 less than", mean: "On average", max: "The longest", noEnded: "No session has ended in this time.",
    failures: "Failures", noFailures: "Nothing has failed in this time.", code: "Code", byWorkflow: "By workflow", none: "–", states: "States", total: "All",
    byModel: "By model", byAgent: "By agent", byGroup: "By group", calls: "Calls", name: "Name", noAgent: "no agent", noGroup: "no group", noModel: "unknown", noUsage: "No model was called in this time.",
    usageAll: "Tokens and cost are of all workflows: they are not counted by workflow.", emptyTitle: "Nothing has run yet", emptyAbout: "As soon as sessions run, this page shows how many, how they ended, what they cost and how long they took.", start: "Start a run",

  },
  zh: {
    title: "仪表盘", about: "正在运行什么、结果如何、用时多久、费用多少。日期为 UTC。",
    range: "时间", ranges: (n: number) => (n === 1 ? "今天" : `最近 ${n} 天`), since: (day: string) => `自 ${day}`, workflow: "流程", allWorkflows: "所有流程",
    running: "正在运行", waiting: "等待人工", sessions: "会话", completed: "已完成", failed: "失败", tokens: "Token", cost: "费用", latency: "半数用时不超过",
    ofAll: (share: string) => `占 ${share}`, truncated: "会话数量超过统计范围：仅计最新的 200,000 个。", unpriced: (n: number) => `${count(n)} 次调用没有价格`, estimated: (n: number) => `${count(n)} 次调用为估算`,
    perDay: "每日会话", day: "日期", count: "会话数", tokensPerDay: "每日 token", input: "读入", output: "写出", costPerDay: "每日费用", dollars: "美元", noCost: "此时间段内没有产生费用。",
    durations: "会话用时", durationsAbout: "从开始到结束，包含暂停和等待。", p50: "半数少于", p90: "九成少于", p99: "99% 少于", mean: "平均", max: "最长", noEnded: "此时间段内没有结束的会话。",
    failures: "失败", noFailures: "此时间段内没有失败。", code: "代码", byWorkflow: "按流程", none: "–", states: "状态", total: "合计",
    byModel: "按模型", byAgent: "按智能体", byGroup: "按小组", calls: "调用", name: "名称", noAgent: "无智能体", noGroup: "无小组", noModel: "未知", noUsage: "此时间段内没有调用模型。",
    usageAll: "Token 和费用为所有流程的合计：不按流程统计。", emptyTitle: "尚未运行任何内容", emptyAbout: "一旦有会话运行，这里就会显示数量、结果、费用和用时。", start: "开始运行",

  },
});
