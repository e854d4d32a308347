package dev.vfio.migration.sandbox.cluster;

import java.nio.file.Path;
import java.util.Map;

/**
 * How a sandbox cluster is to be set up.
 *
 * @param repository where the programs are
 * @param work folder for everything that it writes
 * @param tuning of agents, operator and devices
 * @param linked whether the nodes' advertised addresses differ from those their agents listen on,
 *     so that links can be put in between
 * @param operatorSettings environment of the operator, in addition to what the sandbox sets
 */
public record ClusterSettings(
    Repository repository,
    Path work,
    JavaCommand.Tuning tuning,
    boolean linked,
    Map<String, String> operatorSettings) {

  public ClusterSettings {
    work = work.toAbsolutePath();
    operatorSettings = Map.copyOf(operatorSettings);
  }
}
