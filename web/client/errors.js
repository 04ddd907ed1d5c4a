// Every failure: a sentence for a person, and `code` for a program ("unreachable" when no server answered at
// all, "timeout", "bad_answer", or what the server said). status is that of HTTP, 0 without an answer.
export class SluiceError extends Error {
  constructor(message, code, status, details = null) {
    super(message);
    this.name = "SluiceError";
    this.code = code;
    this.status = status;
    this.details = details;
  }
}

export function errorFrom(status, parsed) {
  const body = parsed !== null && typeof parsed === "object" ? parsed : {};
  const fallback = status === 404 ? "There is nothing at this address." : `The server answered ${status}.`;
  return new SluiceError(
    typeof body.error === "string" ? body.error : fallback,
    typeof body.code === "string" ? body.code : `http_${status}`,
    status,
    body.details ?? null);
}
