// The curl lines that a newcomer pastes: a generation and the purchase that spends its token.

const CREDENTIALS = 'demo-acquirer:demo-acquirer-secret'

/** Paste-able lines (bash, zsh) for a service on this port of the loopback. */
export function curlExamples(port: number): string {
  const curl = `curl -s -u ${CREDENTIALS} -H 'Content-Type: application/json' http://127.0.0.1:${port}/financial`
  const acquirer = '"acquirer":{"id":"A1","storeId":"0001","terminalId":"T0000001"}'
  return `# A payment token for a user:
ANSWER=$(${curl} -d '{"consecutive":"gen-'$(date +%s)-$RANDOM'",
  "transactionCode":"TOKEN_GENERATION",${acquirer},
  "document":{"type":"CC","number":"1012345678"}}'); echo "$ANSWER"

# A purchase with it:
TOKEN=$(echo "$ANSWER" | sed 's/.*"token":"\\([0-9]*\\)".*/\\1/')
${curl} -d '{"consecutive":"buy-'$(date +%s)-$RANDOM'",
  "transactionCode":"TOKEN_PURCHASE",${acquirer},
  "cardNumber":"6039591000000018","token":"'$TOKEN'","accountType":"10","amount":25000}'`
}
