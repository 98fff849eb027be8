#!/bin/sh
# Publishes the client into a folder, and uses it from there in an empty place: a project, and a local repository, that
# have never seen this build. What is not ours comes from the caller's local repository first, so nothing is downloaded twice.
# Usage: check.sh FOLDER. $MAVEN_CACHE: that repository, if it is not ~/.m2/repository.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
place=$1
rm -rf "$place"
mkdir -p "$place/published" "$place/app"
cache=${MAVEN_CACHE:-$HOME/.m2/repository}

cd "$here/.."
mvn -q -P release -pl contract,client -am -DskipTests deploy \
  -DaltDeploymentRepository="published::file://$place/published"

cp -r "$here/pom.xml" "$here/src" "$place/app"
cat > "$place/settings.xml" << END
<settings>
  <localRepository>$place/repository</localRepository>
  <profiles>
    <profile>
      <id>cache</id>
      <repositories>
        <repository><id>cache</id><url>file://$cache</url></repository>
      </repositories>
      <pluginRepositories>
        <pluginRepository><id>cache</id><url>file://$cache</url></pluginRepository>
      </pluginRepositories>
    </profile>
  </profiles>
  <activeProfiles>
    <activeProfile>cache</activeProfile>
  </activeProfiles>
</settings>
END
cd "$place/app"
mvn -q -B -ntp -s ../settings.xml -Dpublished="file://$place/published" \
  compile dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$place/lib"
SLUICE_ADDRESS="unix://$place/nowhere.sock" java -cp "target/classes:$place/lib/*" app.App
