import { dict } from "@/words/words";

export const auditWords = dict({
  en: {
    title: "Audit", about: "Who asked for what, and how it was answered; the newest first. Reading leaves no entry.",
    adminOnly: "The audit log is an admin's to read. The key in use has another role.",
    emptyTitle: "Nothing was done yet", emptyAbout: "Every change that somebody asks for stands here: who, what, about which object, and whether it was done.",
    noneFit: "Nothing fits these filters.", clear: "Clear the filters",
    actor: "Who", action: "What", object: "Object's id", from: "From", until: "Until", when: "When", about_: "About", answer: "Answer", remote: "From address", done: "done", session: "session",
    anonymous: "anonymous", actorHint: "a key's name", actionHint: "pause", role: "Role", refresh: "Read again",
  },
  zh: {
    title: "审计", about: "谁请求了什么、结果如何；最新的在前。读取操作不记录。",
    adminOnly: "审计日志由管理员查看。当前密钥的角色不足。",
    emptyTitle: "尚无操作", emptyAbout: "每个更改请求都会记录在此：谁、做什么、针对哪个对象、是否完成。",
    noneFit: "没有符合条件的记录。", clear: "清除筛选",
    actor: "操作人", action: "操作", object: "对象标识", from: "从", until: "到", when: "时间", about_: "对象", answer: "结果", remote: "来源地址", done: "完成", session: "会话",
    anonymous: "匿名", actorHint: "密钥名称", actionHint: "pause", role: "角色", refresh: "重新读取",
  },
});
