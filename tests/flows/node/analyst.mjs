// What an analyst does: sign in, find the deployment, fill in its form, run it, follow it, look at what it left.
// node analyst.mjs ADDRESS FOLDER CHROMIUM   (the line to sign in with comes on standard input)
// Prints one JSON object: what the pages said. FOLDER gets form.png, run.png and sessions.png.
import { readFileSync } from 'node:fs';
import { chromium } from 'playwright-core';

const [address, folder, executablePath] = process.argv.slice(2);
const line = readFileSync(0, 'utf8').trim();
const flags = ['no-sandbox', 'disable-gpu', 'no-first-run', 'disable-background-networking', 'disable-component-update', 'disable-sync'];
const browser = await chromium.launch({ executablePath, args: flags.map((flag) => `--${flag}`) });
const page = await browser.newPage({ viewport: { width: 1280, height: 1000 } });
page.setDefaultTimeout(240_000);
const said = {};
const text = () => page.locator('main, body').first().innerText();
// Before signing in, the page complains that it may not ask the server.
const closeNotes = async () => {
  for (const note of await page.getByRole('button', { name: 'Close' }).all()) await note.click({ timeout: 3000 }).catch(() => {});
};

await page.goto(`${address}/deployments`, { waitUntil: 'commit' });
await page.locator('input[type=password]').fill(line);
await page.getByRole('button', { name: 'Login' }).click();
await page.getByRole('link', { name: 'reprocess', exact: true }).first().click();
await page.getByRole('button', { name: 'Run', exact: true }).click();
await page.getByText('Custom run').click();
const form = page.locator('form');
await form.getByText('Session ids or patterns').waitFor();
await closeNotes();
said.form = await form.innerText();
await form.locator('.p-label', { hasText: /^\s*sessions\b/ }).first().locator('textarea').fill('s0*');
await page.screenshot({ path: `${folder}/form.png` });

await form.getByRole('button', { name: 'Submit' }).click();
await page.waitForURL((url) => !url.pathname.endsWith('/run'), { waitUntil: 'commit' });
await page.locator('a[href*="/flow-run/"]').first().click();
await page.waitForURL(/flow-run\/[0-9a-f-]{36}/, { waitUntil: 'commit' });
said.run = page.url();
await page.getByText('Completed', { exact: true }).first().waitFor();
await page.screenshot({ path: `${folder}/run.png` });
// The page asks for artifacts once, and a task's "Completed" may be there before the run has written its table: look again.
const table = page.getByText('`cueflow report`').or(page.getByText('makes the pages of these sessions')).first();
for (let look = 0; look < 40; look += 1) {
  await page.getByText('Artifacts', { exact: true }).last().click();
  if (await table.waitFor({ timeout: 5000 }).then(() => true, () => false)) break;
  await page.reload({ waitUntil: 'commit' });
}
await table.waitFor();
said.artifacts = await text();
// The bar says "sessions", too, and which of the two is listed first is a matter of milliseconds.
const links = page.locator('a[href*="/artifacts/"]', { hasText: 'sessions' });
const because = page.getByText('ran because').first();
for (const href of new Set(await links.evaluateAll((found) => found.map((link) => link.href)))) {
  await page.goto(href, { waitUntil: 'commit' });
  if (await because.waitFor({ timeout: 20_000 }).then(() => true, () => false)) break;
}
await because.waitFor();
said.sessions = await text();
await page.screenshot({ path: `${folder}/sessions.png` });
console.log(JSON.stringify(said));
await browser.close();
