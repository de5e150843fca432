/**
 * What some tests need and a machine may lack: a program, the kernel's BPF, docker. Without it they are skipped, and say
 * why; GUELAB_REQUIRE=kernel,docker,tshark names what must be there, and turns such skips into failures.
 */

/**
 * Why tests that need `name` are to be skipped; undefined when they are to run: it is there, or it is required, and then
 * they fail by themselves. `probe` says what is missing, and may prepare what the tests need.
 */
export function requirement(name: string, probe: () => string | undefined): string | undefined {
  const lacks = probe();
  const required = (process.env.GUELAB_REQUIRE ?? "").split(",").includes(name);
  return required ? undefined : lacks;
}
