package dev.vfio.migration.vfio.feature;

import dev.vfio.migration.vfio.access.AccessException;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/** The data files of one driver: which arcs open one, go on with one and end one. */
final class ModelFiles {
  private final DriverModel driver;
  private final Map<Integer, ModelFile> files = new HashMap<>();
  private ModelFile saving;
  private ModelFile resuming;
  private int nextDescriptor = 100;

  ModelFiles(DriverModel driver) {
    this.driver = driver;
  }

  /** Somebody else led the device there, and the files are not this client's. */
  void foundIn(String where, byte[] stream) {
    saving = isSaving(where) ? new ModelFile(driver, stream) : null;
    resuming = where.equals("RESUMING") ? new ModelFile(driver, new byte[0]) : null;
  }

  int spare() {
    return install(new ModelFile(driver, new byte[0]));
  }

  long open() {
    return files.values().stream().filter(file -> !file.closed()).count();
  }

  ModelFile of(int descriptor) {
    return files.get(descriptor);
  }

  byte[] loaded() throws AccessException {
    return resuming.whole();
  }

  /** An arc is taken; returns the descriptor of the file that it opens, or -1. */
  int change(String from, String to, byte[] stream) {
    boolean willSave = isSaving(to);
    int descriptor = -1;
    if (willSave && !isSaving(from)) {
      byte[] first = to.equals("STOP_COPY") ? stream : Arrays.copyOf(stream, 4);
      saving = new ModelFile(driver, first);
      descriptor = install(saving);
    } else if (saving != null && willSave && to.equals("STOP_COPY")) {
      saving.append(Arrays.copyOfRange(stream, 4, stream.length));
    } else if (!willSave) {
      endSaving();
    }
    if (to.equals("RESUMING")) {
      resuming = new ModelFile(driver, new byte[0]);
      descriptor = install(resuming);
    } else {
      endResuming();
    }
    return descriptor;
  }

  /** A hop failed: it may have got there all the same, without a file to show for it. */
  void leftIn(String where) {
    if (!isSaving(where)) {
      endSaving();
    }
    if (!where.equals("RESUMING")) {
      endResuming();
    } else if (resuming == null) {
      resuming = new ModelFile(driver, new byte[0]);
    }
  }

  void end() {
    endSaving();
    endResuming();
  }

  private void endSaving() {
    if (saving != null) {
      saving.disable();
      saving = null;
    }
  }

  private void endResuming() {
    if (resuming != null) {
      resuming.disable();
      resuming = null;
    }
  }

  private int install(ModelFile file) {
    files.put(nextDescriptor, file);
    return nextDescriptor++;
  }

  private static boolean isSaving(String where) {
    return where.startsWith("PRE_COPY") || where.equals("STOP_COPY");
  }
}
