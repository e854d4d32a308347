package dev.vfio.migration.sandbox.lab;

import dev.vfio.migration.sandbox.lab.Scenarios.Scenario;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * What must not be moved, or cannot: each is refused before anything was done to a device, and a
 * condition says which device, why, and what to do. Several of them in one scenario, because each
 * costs slow guests seconds. Used by one thread.
 */
final class RefusedScenarios {
  private static final Duration BOUND = Duration.ofSeconds(180);
  private static final Duration LOOK_AGAIN = Duration.ofMillis(500);
  private static final int NOBODY = 65534;
  private static final int FURTHER_STEPS = 3;

  private final LabCluster cluster;
  private final Path workload;
  private final String plainDevice;

  /**
   * @param workload the program, as the guests see it
   * @param plainDevice PCI address of a device, in both guests, that is bound to vfio-pci
   */
  RefusedScenarios(LabCluster cluster, Path workload, String plainDevice) {
    this.cluster = cluster;
    this.workload = workload;
    this.plainDevice = plainDevice;
  }

  List<Scenario> all() {
    return List.of(
        new Scenario("refused: virtual machine monitors", false, this::monitors),
        new Scenario("refused: sources", false, this::sources),
        new Scenario("refused: destinations", false, this::destinations));
  }

  /** A monitor keeps part of the device's state: known by its name, and a real one. */
  private String monitors(String name) throws IOException, InterruptedException {
    GuestNode source = cluster.source();
    List<String> evidence = new ArrayList<>();
    try (Props props = new Props(workload, name)) {
      LabDevice named = props.device(source, DeviceKind.REGION_2018);
      LabDevice real = props.device(source, DeviceKind.REGION_V1);
      LabDevice to2018 = props.device(cluster.destination(), DeviceKind.REGION_2018);
      LabDevice toV1 = props.device(cluster.destination(), DeviceKind.REGION_V1);
      props.program(
          source,
          "machine",
          "exec qemu-system-x86_64 -accel tcg -machine q35 -m 32 -nodefaults -no-user-config"
              + " -display none -device vfio-pci,sysfsdev=/sys/bus/mdev/devices/"
              + real.id());
      Path renamed = source.runDirectory().resolve("tmp/qemu-system-x86_64");
      source.run("cp %s %s".formatted(Shell.quoted(workload), Shell.quoted(renamed)));
      LabWorkload owner = props.owner(renamed, named, "owner", "");
      evidence.add(
          refused(
              name + "-named", named.end(), to2018.end(), List.of("Validated"), monitor(named)));
      Waiting.until(
          "QEMU holds " + real.id(),
          BOUND,
          LOOK_AGAIN,
          () -> real.holders().stream().anyMatch(holder -> holder.contains("qemu-system")));
      List<String> before = DeviceTrace.of(real).states();
      evidence.add(
          "QEMU itself: "
              + refused(
                  name + "-real", real.end(), toV1.end(), List.of("Validated"), monitor(real)));
      requireUntouched(real, before);
      owner.awaitSteps(FURTHER_STEPS, BOUND);
    }
    return String.join("; ", evidence);
  }

  private static List<String> monitor(LabDevice device) {
    return List.of(
        device.id(), "virtual machine", "qemu-system-x86", "Nothing was", "its own means");
  }

  /** What is to leave node-a. */
  private String sources(String name) throws IOException, InterruptedException {
    GuestNode source = cluster.source();
    List<String> evidence = new ArrayList<>();
    try (Props props = new Props(workload, name)) {
      LabDevice to = props.device(cluster.destination(), DeviceKind.REGION_V1);
      LabDevice one = props.device(source, DeviceKind.REGION_V1);
      LabDevice other = props.device(source, DeviceKind.REGION_V1);
      LabDevice free = props.device(source, DeviceKind.REGION_V1);
      LabWorkload owner = props.owner(workload, one, "owner", "--also " + other.id());
      List<String> before = DeviceTrace.of(one).states();
      evidence.add(
          "two candidates: "
              + refused(
                  name + "-two",
                  one.end(),
                  to.end(),
                  List.of("Validated"),
                  List.of(
                      one.id(),
                      "not certain which descriptor",
                      "2 different descriptors",
                      "Nothing was done",
                      "let each process hold one device")));
      requireUntouched(one, before);
      requireUntouched(other, List.of());
      owner.awaitSteps(FURTHER_STEPS, BOUND);
      evidence.add(
          "nobody uses it: "
              + refused(
                  name + "-free",
                  free.end(),
                  to.end(),
                  List.of("Validated"),
                  List.of(free.id(), "no workload uses it", "Nothing was touched")));
      requireUntouched(free, List.of());
      LabDevice gone =
          LabDevice.create(source, DeviceKind.REGION_V1, java.util.UUID.randomUUID().toString());
      gone.remove();
      evidence.add(
          "mdev removed: "
              + refused(
                  name + "-gone",
                  gone.end(),
                  to.end(),
                  List.of("Validated"),
                  List.of(gone.id(), "no mediated device", "Create it", "Nothing was touched")));
      props.atTheEnd(
          () -> source.run("echo %s >/sys/bus/pci/drivers_probe".formatted(plainDevice)));
      source.run("echo %s >/sys/bus/pci/drivers/vfio-pci/unbind".formatted(plainDevice));
      evidence.add(
          "no VFIO driver: "
              + refused(
                  name + "-unbound",
                  new Migration.End(source.name(), plainDevice),
                  to.end(),
                  List.of("Validated"),
                  List.of(plainDevice, "bound to no driver", "Bind it", "Nothing was touched")));
    }
    return String.join("; ", evidence);
  }

  /** What node-b is to take in. */
  private String destinations(String name) throws IOException, InterruptedException {
    GuestNode node = cluster.destination();
    List<String> evidence = new ArrayList<>();
    try (Props props = new Props(workload, name)) {
      LabDevice from = props.device(cluster.source(), DeviceKind.REGION_V1);
      LabDevice awaited = props.device(node, DeviceKind.REGION_V1);
      LabDevice alone = props.device(node, DeviceKind.REGION_V1);
      LabDevice taken = props.device(node, DeviceKind.REGION_V1);
      LabWorkload owner = props.owner(from, "owner");
      LabWorkload stranger = props.waitingAs(NOBODY, alone, "stranger");
      LabWorkload waiting = props.waiting(awaited, "waiting");
      props.owner(taken, "tenant");
      List<String> before = DeviceTrace.of(from).states();

      stranger.awaitLine("REFUSED errno=1 ", BOUND);
      evidence.add(
          "a stranger was told: "
              + stranger.lines().stream().filter(it -> it.startsWith("REFUSED")).findFirst().get());
      evidence.add(
          "nobody waits: "
              + refused(
                  name + "-alone",
                  from.end(),
                  alone.end(),
                  List.of("Validated"),
                  List.of(
                      alone.id(),
                      "nobody waits for it at",
                      "handover.sock within",
                      "runs as root")));
      requireUntouched(alone, List.of());

      List<String> tenants = DeviceTrace.of(taken).states();
      evidence.add(
          "in use: "
              + refused(
                  name + "-taken",
                  from.end(),
                  taken.end(),
                  List.of("Validated", "Succeeded"),
                  List.of(taken.id(), "in use here by process", "not touched", "choose a free")));
      requireUntouched(taken, tenants);

      waiting.awaitLine("CONNECTED", BOUND);
      String group = awaited.groupNode();
      props.program(node, "group", "exec sleep 600 <>" + group);
      Waiting.until(
          "a program holds " + group, BOUND, LOOK_AGAIN, () -> !awaited.holders().isEmpty());
      evidence.add(
          "group busy: "
              + refused(
                  name + "-busy",
                  from.end(),
                  awaited.end(),
                  List.of("Validated", "Succeeded"),
                  List.of(awaited.id(), group, "EBUSY", "Nothing was done", "End that process")));
      requireUntouched(awaited, List.of());
      node.endProgram(name + "-group");

      node.run("mount -t tmpfs none /dev/vfio");
      try {
        evidence.add(
            "no /dev/vfio: "
                + refused(
                    name + "-nodes",
                    from.end(),
                    awaited.end(),
                    List.of("Validated", "Succeeded"),
                    List.of(awaited.id(), group, "ENOENT (2)", "Nothing was done", "the host's")));
      } finally {
        node.run("umount /dev/vfio");
      }
      requireUntouched(awaited, List.of());
      requireUntouched(from, before);
      owner.awaitSteps(FURTHER_STEPS, BOUND);
      if (waiting.printed("RECEIVED")) {
        throw new IOException("the waiting program was handed a device after all");
      }
    }
    return String.join("; ", evidence);
  }

  /**
   * Applies a migration that must end as Failed.
   *
   * @param types of the condition that says why, any of them
   * @param words that its message has
   * @return that condition
   */
  private String refused(
      String name, Migration.End from, Migration.End to, List<String> types, List<String> words)
      throws IOException {
    Migration migration = Migration.apply(cluster.client(), name, from, to, true, false);
    try {
      return Told.by(migration.awaitPhase("Failed"), types, words);
    } finally {
      migration.delete();
    }
  }

  private static void requireUntouched(LabDevice device, List<String> before)
      throws IOException, InterruptedException {
    List<String> states = DeviceTrace.of(device).states();
    if (!states.equals(before)) {
      throw new IOException(
          "%s of %s was refused and is not as it was: states %s were written, and %s before"
              .formatted(device.id(), device.node().name(), states, before));
    }
  }
}
