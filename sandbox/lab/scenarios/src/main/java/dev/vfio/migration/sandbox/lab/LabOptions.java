package dev.vfio.migration.sandbox.lab;

import dev.vfio.migration.sandbox.cluster.options.CommandLineReader;
import dev.vfio.migration.sandbox.cluster.options.WrongOptionException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Option;

/**
 * The options that {@code sandbox/kernel-lab} gives to {@link KernelLab}.
 *
 * @param work folder for everything that the lab writes
 * @param share folder that both guests see under the same path and may write to
 * @param workload the program that uses devices; the guests see it under the same path
 * @param archives where class data archives are kept; the guests see it under the same path
 * @param a the guest that devices leave
 * @param b the guest that devices go to
 * @param core only one success and one rollback for each interface
 * @param keep leave API server, operator and agents running at the end
 * @param cdev devices are opened by their own nodes, not by their groups
 * @param chaos rounds of faults instead of the scenarios; empty for the scenarios
 * @param only only scenarios whose name contains one of these; empty for all
 */
record LabOptions(
    Path work,
    Path share,
    Path workload,
    Optional<Path> archives,
    GuestAddress a,
    GuestAddress b,
    boolean core,
    boolean keep,
    boolean cdev,
    Optional<Chaos> chaos,
    List<String> only) {

  LabOptions {
    only = List.copyOf(only);
  }

  /**
   * How a guest is reached.
   *
   * @param channel Unix socket that takes commands
   * @param address address on this machine that leads to the guest's ports
   * @param stateHost the guest's address on the link between the two
   */
  record GuestAddress(Path channel, String address, String stateHost) {}

  /**
   * Which rounds.
   *
   * @param rounds how many; 0 for each point x part x fault once
   * @param skip how many of the first are left out
   * @param seed of what chance picks
   */
  record Chaos(int rounds, int skip, long seed) {}

  /** The command line as it was given. */
  private static final class Given {
    @Option(names = "--work", required = true)
    private Path work;

    @Option(names = "--share")
    private Path share;

    @Option(names = "--workload", required = true)
    private Path workload;

    @Option(names = "--archives")
    private Path archives;

    @Option(names = "--guest-a-channel", required = true)
    private Path channelA;

    @Option(names = "--guest-b-channel", required = true)
    private Path channelB;

    @Option(names = "--address-a", required = true)
    private String addressA;

    @Option(names = "--address-b", required = true)
    private String addressB;

    @Option(names = "--core")
    private boolean core;

    @Option(names = "--keep")
    private boolean keep;

    @Option(names = "--cdev")
    private boolean cdev;

    @Option(names = "--chaos")
    private boolean chaos;

    @Option(names = "--rounds")
    private int rounds;

    @Option(names = "--skip")
    private int skip;

    @Option(names = "--seed")
    private long seed;

    @Option(names = "--only")
    private List<String> only = List.of();
  }

  /**
   * Reads the arguments.
   *
   * @throws WrongOptionException where one is unknown or missing, or lacks its value
   */
  static LabOptions parse(String... arguments) throws WrongOptionException {
    Given given = CommandLineReader.read(new Given(), arguments);
    if (given.rounds < 0 || given.skip < 0) {
      throw new WrongOptionException("--rounds and --skip take a number from 0");
    }
    if (!given.chaos && (given.rounds != 0 || given.skip != 0 || given.seed != 0)) {
      throw new WrongOptionException("--rounds, --skip and --seed go with --chaos");
    }
    if (given.chaos && (given.core || given.keep)) {
      throw new WrongOptionException("--chaos goes without --core and --keep");
    }
    Path work = given.work.toAbsolutePath();
    return new LabOptions(
        work,
        given.share == null ? work.resolve("share") : given.share.toAbsolutePath(),
        given.workload.toAbsolutePath(),
        Optional.ofNullable(given.archives).map(Path::toAbsolutePath),
        new GuestAddress(given.channelA.toAbsolutePath(), given.addressA, "10.77.0.1"),
        new GuestAddress(given.channelB.toAbsolutePath(), given.addressB, "10.77.0.2"),
        given.core,
        given.keep,
        given.cdev,
        given.chaos
            ? Optional.of(new Chaos(given.rounds, given.skip, given.seed))
            : Optional.empty(),
        given.only);
  }
}
