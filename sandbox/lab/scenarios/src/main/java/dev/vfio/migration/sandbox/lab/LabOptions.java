package dev.vfio.migration.sandbox.lab;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * What {@link KernelLab} is told by {@code sandbox/kernel-lab}.
 *
 * @param work folder for everything that the lab writes
 * @param share folder that both guests see under the same path and may write to
 * @param workload the program that uses devices; the guests see it under the same path
 * @param archives where class data archives are kept; the guests see it under the same path
 * @param a the guest that devices leave
 * @param b the guest that devices go to
 * @param core only one success and one rollback for each interface
 * @param keep leave API server, operator and agents running at the end
 * @param again go on with what an earlier run left running
 * @param cdev devices are opened by their own nodes, not by their groups
 * @param only only scenarios whose name contains one of these; empty for all
 */
record LabOptions(
    Path work,
    Path share,
    Path workload,
    Optional<Path> archives,
    GuestPlace a,
    GuestPlace b,
    boolean core,
    boolean keep,
    boolean again,
    boolean cdev,
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
  record GuestPlace(Path channel, String address, String stateHost) {}

  /** An option is wrong; the message says which. */
  static final class BadOption extends Exception {
    private static final long serialVersionUID = 1L;

    BadOption(String message) {
      super(message);
    }
  }

  static final String USAGE =
      """
      KernelLab --work DIRECTORY --workload PROGRAM --guest-a-channel SOCKET --guest-b-channel SOCKET \
      --address-a ADDRESS --address-b ADDRESS
        [--share DIRECTORY] [--archives DIRECTORY] [--state-host-a 10.77.0.1]
        [--state-host-b 10.77.0.2] [--core] [--keep] [--again] [--cdev] [--only TEXT]...\
      """;

  private static final Set<String> FLAGS = Set.of("--core", "--keep", "--again", "--cdev");
  private static final Set<String> VALUES =
      Set.of(
          "--work",
          "--share",
          "--workload",
          "--archives",
          "--guest-a-channel",
          "--guest-b-channel",
          "--address-a",
          "--address-b",
          "--state-host-a",
          "--state-host-b",
          "--only");

  static LabOptions parse(String[] arguments) throws BadOption {
    Map<String, String> given = new HashMap<>();
    List<String> only = new ArrayList<>();
    for (int i = 0; i < arguments.length; i++) {
      String option = arguments[i];
      if (FLAGS.contains(option)) {
        given.put(option, "");
      } else if (!VALUES.contains(option)) {
        throw new BadOption("there is no option " + option);
      } else if (i + 1 == arguments.length) {
        throw new BadOption(option + " has no value");
      } else if (option.equals("--only")) {
        only.add(arguments[++i]);
      } else {
        given.put(option, arguments[++i]);
      }
    }
    Path work = Path.of(required(given, "--work")).toAbsolutePath();
    return new LabOptions(
        work,
        path(given, "--share").orElse(work.resolve("share")),
        Path.of(required(given, "--workload")).toAbsolutePath(),
        path(given, "--archives"),
        place(given, "a", "10.77.0.1"),
        place(given, "b", "10.77.0.2"),
        given.containsKey("--core"),
        given.containsKey("--keep"),
        given.containsKey("--again"),
        given.containsKey("--cdev"),
        only);
  }

  private static GuestPlace place(Map<String, String> given, String letter, String stateHost)
      throws BadOption {
    return new GuestPlace(
        Path.of(required(given, "--guest-" + letter + "-channel")).toAbsolutePath(),
        required(given, "--address-" + letter),
        given.getOrDefault("--state-host-" + letter, stateHost));
  }

  private static Optional<Path> path(Map<String, String> given, String option) {
    return Optional.ofNullable(given.get(option)).map(text -> Path.of(text).toAbsolutePath());
  }

  private static String required(Map<String, String> given, String option) throws BadOption {
    String value = given.get(option);
    if (value == null || value.isBlank()) {
      throw new BadOption(option + " is missing");
    }
    return value;
  }
}
