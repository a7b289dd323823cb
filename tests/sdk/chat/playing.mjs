// What the drivers in JavaScript share: the tools, and how jobs are run and told.

const USED = {
  tide: ({ port }) => `low in ${port}`,
  wind: ({ port }) => `calm in ${port}`,
  book: ({ boats }) => `${boats} boats`,
};

export const used = (name, args) => USED[name](args);

export const raised = (error, text = "") => ({
  text,
  raised: error?.name ?? String(error),
  message: String(error?.message ?? error),
  status: error?.status ?? error?.statusCode ?? null,
});

// Runs the jobs one after another; an exception is what a feature saw.
export async function play(jobs) {
  const seen = {};
  for (const [feature, job] of Object.entries(jobs)) {
    try {
      seen[feature] = await job();
    } catch (error) {
      seen[feature] = raised(error);
    }
  }
  console.log(JSON.stringify(seen));
}
