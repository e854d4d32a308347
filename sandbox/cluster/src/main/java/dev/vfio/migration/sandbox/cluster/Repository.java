package dev.vfio.migration.sandbox.cluster;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The source tree and what the build put into it.
 *
 * @param root folder with the aggregator's pom.xml
 */
public record Repository(Path root) {

  /**
   * The tree that the working directory is in.
   *
   * @throws IOException where there is none
   */
  public static Repository find() throws IOException {
    Path here = Path.of("").toAbsolutePath();
    for (Path folder = here; folder != null; folder = folder.getParent()) {
      if (Files.exists(folder.resolve("sandbox/cluster/guard.sh"))) {
        return new Repository(folder);
      }
    }
    throw new IOException(here + " is not inside the source tree");
  }

  /** The operator, as Quarkus packages it. */
  public Path operatorJar() throws IOException {
    return built(root.resolve("src/target/quarkus-app/quarkus-run.jar"));
  }

  /** The node agent, as Quarkus packages it. */
  public Path agentJar() throws IOException {
    return built(root.resolve("node-agent/agent/target/quarkus-app/quarkus-run.jar"));
  }

  /** Class path of a module of the sandbox: its own jar and what it needs at run time. */
  public String sandboxClassPath(String module) throws IOException {
    Path target = root.resolve("sandbox").resolve(module).resolve("target");
    Path jar = built(target.resolve("sandbox-" + module + "-" + version() + ".jar"));
    String dependencies = Files.readString(built(target.resolve("classpath"))).strip();
    return dependencies.isEmpty() ? jar.toString() : jar + ":" + dependencies;
  }

  /** Folder with the custom resource definitions. */
  public Path crds() {
    return root.resolve("crds");
  }

  /** The migration that the demo applies. */
  public Path example() {
    return root.resolve("examples/devicemigration.yaml");
  }

  /** See {@code guard.sh}. */
  public Path guardScript() {
    return root.resolve("sandbox/cluster/guard.sh");
  }

  private static String version() {
    return "0.1.0";
  }

  private static Path built(Path file) throws IOException {
    if (!Files.exists(file)) {
      throw new IOException(file + " is not there: build first, with mvn package or ./demo");
    }
    return file;
  }
}
