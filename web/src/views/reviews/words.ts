// What is said around questions to people: in the inbox, and in a session's dock.

import { plural } from "@/ui/format";
import { dict, wordsNow } from "@/words/words";

export const actionWords = dict<Record<string, string>>({
  en: {
    approve: "Approve", reject: "Send back", modify: "Approve with changes", edit: "Save changes", skip: "Skip", submit: "Send", complete: "Complete",
    input: "Send", answer: "Send", accept: "Accept", yes: "Yes", no: "No", timeout: "Time is up",
  },
  zh: {
    approve: "通过", reject: "退回", modify: "修改后通过", edit: "保存修改", skip: "跳过", submit: "发送", complete: "完成",
    input: "发送", answer: "发送", accept: "接受", yes: "是", no: "否", timeout: "超时",
  },
});

/** What was done, after "by": "Approved by Ann". */
export const doneWords = dict<Record<string, string>>({
  en: {
    approve: "Approved", reject: "Sent back", modify: "Approved with changes", edit: "Changed", skip: "Skipped", submit: "Answered",
    complete: "Completed", input: "Answered", answer: "Answered",
  },
  zh: {
    approve: "已通过", reject: "已退回", modify: "修改后通过", edit: "已修改", skip: "已跳过", submit: "已答复", complete: "已完成", input: "已答复", answer: "已答复",
  },
});

const named = (action: string): string => action.replace(/[_-]+/g, " ").replace(/^./, (c) => c.toUpperCase());
export const actionName = (action: string): string => wordsNow(actionWords)[action] ?? named(action);
export const doneName = (action: string | undefined): string => {
  if (!action) return wordsNow(doneWords).submit ?? "";
  return wordsNow(doneWords)[action] ?? `“${named(action)}”`;
};

export const reviewKinds = dict<Record<string, string>>({
  en: { approve_reject: "Review", edit_content: "Edit", form: "Form", user_input: "Question", stage: "Stage", signal: "Signal" },
  zh: { approve_reject: "审阅", edit_content: "编辑", form: "表单", user_input: "提问", stage: "阶段", signal: "信号" },
});

/** What became of a question whose time ran out, by the workflow's on_timeout. */
export const timeoutWords = dict<Record<string, string>>({
  en: { fail: "If nobody answers in time, the run fails.", skip: "If nobody answers in time, it is skipped.", route: "If nobody answers in time, the run goes another way." },
  zh: { fail: "如果没有人及时答复，运行将失败。", skip: "如果没有人及时答复，将会跳过。", route: "如果没有人及时答复，运行将走另一条路。" },
});

export const words = dict({
  en: {
    comment: "Comment", commentHint: "Why, or what should be different", yourAnswer: "Your answer", answerHint: "Your answer. Ctrl and Enter sends it.",
    send: "Send", change: "Change the text…", keep: "Keep the text as it was", original: "As it was", edited: "As it shall be", editTab: "Edit", diffTab: "Changes",
    textTabs: "The text", brokenJson: "This is no longer valid JSON.", underReview: "The text under review", showAll: "Show all of it", showLess: "Show less",
    paused: "The session is paused. What you write is kept; it can be sent when the session goes on.", resume: "Resume it",
    noRole: "Your key may look on, but not answer. An operator's may.", notReviewer: (who: string) => `Only ${who} may answer this.`,
    replay: "This is the past: it can be read here, not answered.",
    name: "Your name", nameHint: "Several people answer; this says who you are.", nameNeeded: "Say who you are.", choose: "Choose…",
    votes: (has: number, needs: number) => `${has} of ${needs} agree`, against: (has: number, needs: number) => `${has} of ${needs} against`, votesOf: "Answers so far",
    left: (time: string) => `${time} left`, minutes: (n: number) => `${n} min`, over: "Time is up", still: "Time stands still while the session is paused", waitsSince: (when: string) => `asked ${when}`,
    restored: "What you had typed is back.", discard: "Discard it", unsent: "Not sent",
    offline: "The server cannot be reached, so this was not sent. What you typed is kept; send it again when the connection is back.",
    unsure: "No answer came in time. It is not known whether this arrived; sending it again cannot count twice.",
    sent: "Sent", recorded: "Your answer is counted. Others have to answer too.", sendsBack: "Ctrl and Enter sends it back.", sends: "Ctrl and Enter sends it.",
    late: "This was answered before yours came", lateExpired: "The time ran out before your answer came", lateGone: "This question is no longer asked",
    lateKept: "Your answer was not taken. What you typed is still here:", copyMine: "Copy what I typed", by: (what: string, who: string) => `${what} by ${who}`,
    somebody: "somebody", at: (time: string) => `at ${time}`, expired: "Nobody answered in time", expiredDid: (what: string) => `Nobody answered in time. What happened by itself: ${what}`,
    cancelled: "It fell away: the session ended or went another way before anybody answered.", gone: "This question is gone: its session was deleted.",
    withChanges: "What was changed", wrote: "Comment", theForm: "What was filled in",
    items: "To do", deliverables: "To hand over", required: "required", done: (a: number, b: number) => `${a} of ${b} done`, complete: "Complete the stage", skip: "Skip…",
    skipTitle: "Skip this stage?", skipWhy: "Why is it skipped?", skipBody: "The session goes on without it.", skipNo: "This stage must not be skipped.",
    missing: (what: string) => `Still open: ${what}`, estimate: (min: number) => `about ${min} min`, savedNow: "Saved", savingNow: "Saving…",
    signal: (name: string) => `Waits for the signal “${name}”.`, signalPlain: "Waits for a signal.", payload: "Payload", payloadAbout: "Text, or JSON; it becomes the node's output.",
    sendSignal: "Send the signal", kApprove: "Approve", kReject: "Send back, with a comment", kModify: "Change the text", kComment: "Write a comment", kSend: "Send",
    kNext: "Next question", kPrev: "Previous question", waitsFor: (name: string) => `${name} waits for you`, openOnes: "Questions that wait",
    elsewhere: (name: string) => `${name}: no longer open`, closeNote: "Close this note",
  },
  zh: {
    comment: "评论", commentHint: "原因，或应当如何修改", yourAnswer: "你的回答", answerHint: "输入回答，按 Ctrl+Enter 发送。",
    send: "发送", change: "修改文本…", keep: "保留原文", original: "原文", edited: "修改后", editTab: "编辑", diffTab: "更改",
    textTabs: "文本", brokenJson: "这不再是有效的 JSON。", underReview: "待审阅的文本", showAll: "显示全部", showLess: "收起",
    paused: "会话已暂停。你写的内容会保留，会话继续后即可发送。", resume: "继续会话",
    noRole: "你的密钥只能查看，不能答复。需要操作员的密钥。", notReviewer: (who: string) => `只有 ${who} 可以答复。`,
    replay: "这是过去的记录：只能阅读，不能答复。",
    name: "你的名字", nameHint: "需要多人答复，请说明你是谁。", nameNeeded: "请填写你的名字。", choose: "请选择…",
    votes: (has: number, needs: number) => `${has}/${needs} 人同意`, against: (has: number, needs: number) => `${has}/${needs} 人反对`, votesOf: "目前的答复",
    left: (time: string) => `还剩 ${time}`, minutes: (n: number) => `${n} 分钟`, over: "时间已到", still: "会话暂停期间不计时", waitsSince: (when: string) => `${when}提出`,
    restored: "已恢复你之前输入的内容。", discard: "放弃", unsent: "未发送",
    offline: "无法连接服务器，内容没有发送。你输入的内容已保留，恢复连接后请再次发送。",
    unsure: "服务器没有及时响应，不确定是否已收到。再次发送不会重复计算。",
    sent: "已发送", recorded: "你的答复已计入，还需要其他人答复。", sendsBack: "按 Ctrl+Enter 退回。", sends: "按 Ctrl+Enter 发送。",
    late: "在你之前已有人答复", lateExpired: "在你答复之前时间已到", lateGone: "这个问题已不再需要答复",
    lateKept: "你的答复没有被采纳。你输入的内容仍在这里：", copyMine: "复制我输入的内容", by: (what: string, who: string) => `${who}：${what}`,
    somebody: "某人", at: (time: string) => time, expired: "没有人及时答复", expiredDid: (what: string) => `没有人及时答复，自动处理为：${what}`,
    cancelled: "已失效：在有人答复之前，会话已结束或改走他路。", gone: "这个问题已不存在：它的会话已被删除。",
    withChanges: "所作的修改", wrote: "评论", theForm: "填写的内容",
    items: "待办", deliverables: "需提交", required: "必需", done: (a: number, b: number) => `已完成 ${a}/${b}`, complete: "完成此阶段", skip: "跳过…",
    skipTitle: "跳过此阶段？", skipWhy: "为什么跳过？", skipBody: "会话将跳过它继续进行。", skipNo: "此阶段不可跳过。",
    missing: (what: string) => `尚未完成：${what}`, estimate: (min: number) => `约 ${min} 分钟`, savedNow: "已保存", savingNow: "正在保存…",
    signal: (name: string) => `等待信号“${name}”。`, signalPlain: "等待信号。", payload: "内容", payloadAbout: "文本或 JSON，将成为该节点的输出。",
    sendSignal: "发送信号", kApprove: "通过", kReject: "退回并评论", kModify: "修改文本", kComment: "写评论", kSend: "发送",
    kNext: "下一个问题", kPrev: "上一个问题", waitsFor: (name: string) => `${name} 等待你的处理`, openOnes: "等待处理的问题",
    elsewhere: (name: string) => `${name}：已不再等待`, closeNote: "关闭此提示",
  },
});

export const list = dict({
  en: {
    title: "Reviews", about: "What waits for a person, of all sessions.", pending: "Waiting", answered: "Answered", expired: "Expired", cancelled: "Fell away",
    tabs: "Which questions", kind: "Kind", group: "Group", allKinds: "All kinds", allGroups: "All groups", empty: "Nothing waits for you",
    emptyAbout: "When a workflow asks a person - to review a text, fill in a form, answer a question or do a stage - the question stands here until somebody answers it.",
    emptyFilter: "No question fits the filter.", emptyHistory: "There is none yet.", clear: "Clear the filter", start: "Start a run that asks", choose: "Choose a question from the list.",
    count: (n: number) => plural(n, "question"), more: (n: number) => `There are more; ${n} are shown.`, backToList: "Back to the list", openSession: "Open the session", next: "On to the next",
    allDone: "That was the last one. Nothing else waits for you.", of: (i: number, n: number) => `${i} of ${n}`, list: "Questions", notFound: "There is no such question",
    notFoundAbout: "It may have been deleted with its session.", step: "Step", session: "Session", workflow: "Workflow",
  },
  zh: {
    title: "审阅", about: "所有会话中等待人处理的事项。", pending: "等待中", answered: "已答复", expired: "已过期", cancelled: "已失效",
    tabs: "哪些问题", kind: "类型", group: "小组", allKinds: "全部类型", allGroups: "全部小组", empty: "没有等待你处理的事项",
    emptyAbout: "当流程需要人参与时（审阅文本、填写表单、回答问题或完成阶段），问题会显示在这里，直到有人答复。",
    emptyFilter: "没有符合筛选条件的问题。", emptyHistory: "暂时没有。", clear: "清除筛选", start: "启动一个会提问的运行", choose: "请从列表中选择一个问题。",
    count: (n: number) => `${n} 个问题`, more: (n: number) => `还有更多，此处显示 ${n} 个。`, backToList: "返回列表", openSession: "打开会话", next: "下一个",
    allDone: "这是最后一个，没有其他等待你处理的事项。", of: (i: number, n: number) => `第 ${i} 个，共 ${n} 个`, list: "问题列表", notFound: "没有这个问题",
    notFoundAbout: "它可能已随会话一起删除。", step: "步骤", session: "会话", workflow: "流程",
  },
});
