// What k6 runs: GET requests that come at a constant rate, each for another project, whatever the server does.
// bench/k6.py says where, how many and how long, and reads what is told at the end.
import http from "k6/http";
import exec from "k6/execution";

const of_interest = "http_req_duration{scenario:measured}";
const arrivals = {
  executor: "constant-arrival-rate",
  rate: Number(__ENV.RATE),
  timeUnit: "1s",
  preAllocatedVUs: Number(__ENV.CALLERS),
  maxVUs: Number(__ENV.CALLERS),
  gracefulStop: "10s",
};

export const options = {
  scenarios: {
    warm_up: { ...arrivals, duration: `${__ENV.WARM_UP}s`, gracefulStop: "0s" },
    measured: { ...arrivals, duration: `${__ENV.SECONDS}s`, startTime: `${__ENV.WARM_UP}s` },
  },
  // Without a threshold k6 tells of all its scenarios together alone.
  thresholds: {
    [of_interest]: [],
    "http_req_failed{scenario:measured}": [],
    "dropped_iterations{scenario:measured}": [],
  },
  summaryTrendStats: ["med", "p(99)", "max", "count"],
  systemTags: ["scenario"],
  discardResponseBodies: true,
};

const headers = JSON.parse(__ENV.HEADERS);

export default function () {
  const { name, iterationInTest } = exec.scenario;
  http.get(`${__ENV.URL}/${__ENV.PROJECTS}-${name}-${iterationInTest}`, { headers });
}

export function handleSummary({ metrics }) {
  const dropped = metrics["dropped_iterations{scenario:measured}"];
  return {
    stdout: JSON.stringify({
      waits: metrics[of_interest].values,
      failed: metrics["http_req_failed{scenario:measured}"].values.passes,
      dropped: dropped ? dropped.values.count : 0,
    }),
  };
}
