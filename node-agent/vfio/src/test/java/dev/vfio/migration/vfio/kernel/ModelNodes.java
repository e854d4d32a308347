package dev.vfio.migration.vfio.kernel;

import dev.vfio.migration.vfio.inventory.NodeDevice;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The nodes of a device before a {@link VfioModel}, and what of them this process has open. */
public final class ModelNodes {

  private ModelNodes() {}

  /** Makes them; answers what stands for {@code /dev/vfio}. */
  public static Path in(Path folder) throws IOException {
    Path directory = Files.createDirectory(folder.resolve("vfio"));
    Files.createDirectory(directory.resolve("devices"));
    for (String node : new String[] {"7", "vfio", "devices/vfio0", "../iommu"}) {
      Files.createFile(directory.resolve(node).normalize());
    }
    return directory;
  }

  static NodeDevice device(String id, Path folder) {
    Path sysfs = folder.resolve("sysfs");
    return new NodeDevice(id, sysfs, "vfio-pci", "", id, "", 7, "vfio0", -1, "");
  }

  /** The open descriptors of the nodes and of the model's device. */
  public static List<String> left(Path folder) throws IOException {
    List<String> found = new ArrayList<>();
    try (DirectoryStream<Path> links = Files.newDirectoryStream(Path.of("/proc/self/fd"))) {
      for (Path link : links) {
        try {
          String name = Files.readSymbolicLink(link).toString();
          if (name.startsWith(folder.toString()) || name.contains(VfioModel.DEVICE)) {
            found.add(name);
          }
        } catch (NoSuchFileException closedMeanwhile) {
          continue;
        }
      }
    }
    return found;
  }
}
